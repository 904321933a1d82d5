//! What has been added to a job: its history and its logs, from a place on.

use std::fmt;
use std::str::FromStr;

use super::super::Error;
use crate::domain::{Event, Job, JobId, Log, LogKind, Phase, Subject};
use crate::store::{HistoryReads, JobReads, LogReads};

/// The most changes that are read together.
const CHANGES: usize = 100;
/// Bytes of each log after which no further fragment is read.
const TEXT: usize = 64 << 10;

/// Where somebody who follows a job has arrived. It is written `attempt-change-output-serial`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The attempt that the logs are of: a job that is submitted again has new ones.
    pub attempt: u32,
    /// The number of the last change.
    pub change: u64,
    /// The number of the next fragment of the output.
    pub output: i64,
    /// The number of the next fragment of the serial log.
    pub serial: i64,
}

impl Cursor {
    /// The number of the next fragment of a log.
    #[must_use]
    pub const fn of(&self, kind: LogKind) -> i64 {
        match kind {
            LogKind::Output => self.output,
            LogKind::Serial => self.serial,
        }
    }

    /// Sets the number of the next fragment of a log.
    pub const fn set(&mut self, kind: LogKind, number: i64) {
        match kind {
            LogKind::Output => self.output = number,
            LogKind::Serial => self.serial = number,
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}-{}", self.attempt, self.change, self.output, self.serial)
    }
}

/// A text is not a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not a place in the stream of a job")]
pub struct BadCursor;

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        fn number<T: FromStr>(text: &str) -> Result<T, BadCursor> {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            if digits { text.parse().map_err(|_| BadCursor) } else { Err(BadCursor) }
        }
        let parts: Vec<&str> = text.split('-').collect();
        let [attempt, change, output, serial] = parts[..] else { return Err(BadCursor) };
        Ok(Self {
            attempt: number(attempt)?,
            change: number(change)?,
            output: number(output)?,
            serial: number(serial)?,
        })
    }
}

/// A fragment of a log, as it is stored.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Its log.
    pub kind: LogKind,
    /// Its phase.
    pub phase: Phase,
    /// Its number.
    pub number: i64,
    /// Its text.
    pub text: String,
}

/// What has been added to a job since a place.
#[derive(Clone, Debug)]
pub struct Followed {
    /// The job as it is now.
    pub job: Job,
    /// It was submitted again meanwhile: its logs begin anew.
    pub anew: bool,
    /// What was added to its history, with the number of each.
    pub changes: Vec<(u64, Event)>,
    /// What was added to its logs, each log in order.
    pub pieces: Vec<Piece>,
}

impl Followed {
    /// Whether nothing was added, so that a job that has ended was told to its end.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        !self.anew && self.changes.is_empty() && self.pieces.is_empty()
    }
}

/// What has been added to a job since a place; the next part of it, where it is much.
///
/// # Errors
/// [`Error::NoJob`].
pub fn follow(
    tx: &(impl HistoryReads + JobReads + LogReads),
    id: JobId,
    mut from: Cursor,
) -> Result<Followed, Error> {
    let job = tx.job(id)?.ok_or(Error::NoJob)?;
    let anew = from.attempt != 0 && from.attempt != job.attempt;
    if anew {
        from = Cursor { change: from.change, ..Cursor::default() };
    }
    let changes = tx.events_after(&Subject::Job(id), from.change, CHANGES)?;
    let mut pieces = Vec::new();
    for kind in LogKind::ALL {
        let texts = tx.texts_from(Log(id, kind), from.of(kind), TEXT)?;
        let piece = |(phase, number, text)| Piece { kind, phase, number, text };
        pieces.extend(texts.into_iter().map(piece));
    }
    Ok(Followed { job, anew, changes, pieces })
}

/// The end of the text of a log before a fragment, at least `most` bytes if there are so many.
pub fn text_before(
    tx: &impl LogReads,
    log: Log,
    before: i64,
    most: usize,
) -> Result<String, Error> {
    let mut rows = Vec::new();
    for phase in Phase::ALL {
        let found = tx.fragments(log, phase, 0, None)?;
        let earlier = found.into_iter().filter(|row| row.number < before);
        rows.extend(earlier.map(|row| (row.number, phase, row)));
    }
    rows.sort_unstable_by_key(|(number, ..)| *number);
    let (mut begin, mut size) = (rows.len(), 0);
    while begin > 0 && size < most {
        begin -= 1;
        size += rows[begin].2.size;
    }
    let mut text = String::with_capacity(size);
    for (_, phase, row) in &rows[begin..] {
        text.push_str(&tx.fragment_texts(log, *phase, std::slice::from_ref(row))?);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        let place = Cursor { attempt: 2, change: 57, output: 3, serial: 0 };
        assert_eq!(place.to_string(), "2-57-3-0");
        assert_eq!("2-57-3-0".parse(), Ok(place));
        for bad in
            ["", "1", "1-2-3", "1-2-3-4-5", "1-2-3-x", "1-2--3-4", "1-+2-3-4", "99999999999-1-1-1"]
        {
            assert_eq!(bad.parse::<Cursor>(), Err(BadCursor), "{bad}");
        }
    }
}
