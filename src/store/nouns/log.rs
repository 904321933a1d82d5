//! Logs of jobs, kept twice: as numbered fragments of a phase, which stay, and as text that is read once, for the older
//! generation of clients.
//!
//! Fragments are rows of their own, sorted by phase and number, so that a reader seeks to where it left off and a log
//! of any size is sent a few fragments at a time.

use std::ops::{Bound, ControlFlow};

use serde::{Deserialize, Serialize};

use super::aging::Kind;
use crate::domain::{Fragment, FragmentRow, JobId, Log, LogKind, Phase, Timestamp};
use crate::store::engine::codec::first_version;
use crate::store::engine::observer::News;
use crate::store::engine::{
    ALL, Direction, Error, IndexRow, Key, Rows, Table, Tail, WriteTx, codec,
};

/// Where a job's log ends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct LogTailV1 {
    /// The number of the next fragment that comes without one.
    pub(super) next_fragment: i64,
    /// The number of the next piece in the drain.
    pub(super) next_piece: u64,
    /// When something was last added.
    pub(super) at: i64,
}
first_version!(LogTailV1, 9);

impl Log {
    /// How the keys of its rows begin.
    pub(crate) fn key(self) -> Key {
        let kind = match self.1 {
            LogKind::Output => b'o',
            LogKind::Serial => b's',
        };
        self.0.key().byte(kind)
    }

    fn phase(self, phase: Phase) -> Key {
        let place = Phase::ALL.iter().position(|known| *known == phase).unwrap_or_default();
        self.key().byte(u8::try_from(place).unwrap_or_default())
    }

    pub(super) fn fragment(self, phase: Phase, number: i64, copy: u64) -> Key {
        self.phase(phase).signed(number).number(copy)
    }

    /// The log in a key.
    pub(crate) fn parse(key: &[u8]) -> Option<Self> {
        let (id, kind) = key.split_first_chunk()?;
        let kind = match kind {
            b"o" => LogKind::Output,
            b"s" => LogKind::Serial,
            _ => return None,
        };
        Some(Self(JobId::from_bytes(*id), kind))
    }
}

/// Reading logs.
pub trait LogReads {
    /// The fragments of a phase from a number on, in order; with `since` only those written then or later.
    fn fragments(
        &self,
        log: Log,
        phase: Phase,
        from: i64,
        since: Option<Timestamp>,
    ) -> Result<Vec<FragmentRow>, Error>;
    /// The texts of these fragments, one after the other; those that are gone meanwhile are left out.
    fn fragment_texts(&self, log: Log, phase: Phase, rows: &[FragmentRow])
    -> Result<String, Error>;
    /// The fragments of all phases from a number on, in the order of their numbers: phase, number and text. Once there are
    /// `most` bytes of a phase, no further number is read; fragments with the same number are given together.
    fn texts_from(
        &self,
        log: Log,
        from: i64,
        most: usize,
    ) -> Result<Vec<(Phase, i64, String)>, Error>;
    /// The pieces of the text that nobody has read: number and size in bytes, in order.
    fn drain_pieces(&self, log: Log) -> Result<Vec<(u64, usize)>, Error>;
    /// One piece.
    fn drain_piece(&self, log: Log, number: u64) -> Result<Option<Vec<u8>>, Error>;
    /// When something was last added to a log.
    fn log_written(&self, log: Log) -> Result<Option<Timestamp>, Error>;
    /// The number after that of every fragment of a log.
    fn log_end(&self, log: Log) -> Result<i64, Error>;
}

impl<R: Rows> LogReads for R {
    fn fragments(
        &self,
        log: Log,
        phase: Phase,
        from: i64,
        since: Option<Timestamp>,
    ) -> Result<Vec<FragmentRow>, Error> {
        let (from, end) = (log.phase(phase).signed(from), log.phase(phase).after_prefix());
        let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut found = Vec::new();
        let range = (Bound::Included(from.as_slice()), to);
        self.scan(Table::Fragment, range, Direction::Forward, &mut |key, value| {
            let (at, text) = split(value);
            if since.is_none_or(|since| at >= since) {
                let mut tail = Tail(key);
                let (copy, number) = (tail.number(), tail.signed());
                found.push(FragmentRow { number, copy, size: text.len() });
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    fn fragment_texts(
        &self,
        log: Log,
        phase: Phase,
        rows: &[FragmentRow],
    ) -> Result<String, Error> {
        let mut texts = String::with_capacity(rows.iter().map(|row| row.size).sum());
        for row in rows {
            let key = log.fragment(phase, row.number, row.copy);
            self.with(Table::Fragment, key.as_slice(), &mut |value| {
                texts.push_str(&String::from_utf8_lossy(split(value).1));
            })?;
        }
        Ok(texts)
    }

    fn texts_from(
        &self,
        log: Log,
        from: i64,
        most: usize,
    ) -> Result<Vec<(Phase, i64, String)>, Error> {
        // A fragment counts for something even when it is empty.
        const ROW: usize = 64;
        let (mut found, mut until) = (Vec::new(), i64::MAX);
        for phase in Phase::ALL {
            let (start, end) = (log.phase(phase).signed(from), log.phase(phase).after_prefix());
            let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let range = (Bound::Included(start.as_slice()), to);
            let (mut size, mut last) = (0, from);
            self.scan(Table::Fragment, range, Direction::Forward, &mut |key, value| {
                let mut tail = Tail(key);
                let (_copy, number) = (tail.number(), tail.signed());
                if size >= most && number != last {
                    until = until.min(last);
                    return Ok(ControlFlow::Break(()));
                }
                let text = String::from_utf8_lossy(split(value).1).into_owned();
                size += text.len() + ROW;
                last = number;
                found.push((phase, number, text));
                Ok(ControlFlow::Continue(()))
            })?;
        }
        found.retain(|(_, number, _)| *number <= until);
        found.sort_by_key(|(_, number, _)| *number);
        Ok(found)
    }

    fn drain_pieces(&self, log: Log) -> Result<Vec<(u64, usize)>, Error> {
        self.list(Table::Drain, &log.key(), ALL, |key, value| Ok((Tail(key).number(), value.len())))
    }

    fn drain_piece(&self, log: Log, number: u64) -> Result<Option<Vec<u8>>, Error> {
        self.get(Table::Drain, &log.key().number(number))
    }

    fn log_written(&self, log: Log) -> Result<Option<Timestamp>, Error> {
        Ok(tail(self, log)?.map(|tail| Timestamp::from_micros(tail.at)))
    }

    fn log_end(&self, log: Log) -> Result<i64, Error> {
        Ok(tail(self, log)?.unwrap_or_default().next_fragment)
    }
}

pub(super) fn tail(rows: &impl Rows, log: Log) -> Result<Option<LogTailV1>, Error> {
    rows.record(Table::LogTail, &log.key())
}

/// The index rows of the stored end of a log.
pub(crate) fn index_of(key: &[u8], value: &[u8]) -> Result<Vec<IndexRow>, Error> {
    let tail: LogTailV1 = codec::decode(value)?;
    if Log::parse(key).is_none() {
        return Err(Error::Corrupt("the key of a log names none".to_owned()));
    }
    Ok(vec![since_row(Timestamp::from_micros(tail.at), key)])
}

pub(super) fn since_row(since: Timestamp, key: &[u8]) -> IndexRow {
    (Table::Expiry, Kind::Drain.key(since, key), Vec::new())
}

/// When a stored fragment was written, and its text.
pub(super) fn split(value: &[u8]) -> (Timestamp, &[u8]) {
    let (at, text) = value.split_first_chunk::<8>().unwrap_or((&[0; 8], value));
    (Timestamp::from_micros(i64::from_be_bytes(*at)), text)
}

impl WriteTx<'_> {
    /// Adds a fragment, and its text to what is read once. The same fragment again (number and text) changes nothing:
    /// agents send again what they cannot be sure of.
    pub fn append_log(
        &mut self,
        log: Log,
        fragment: &Fragment,
        now: Timestamp,
    ) -> Result<(), Error> {
        let old = tail(self, log)?;
        let mut tail = old.clone().unwrap_or_default();
        let number = fragment.number.unwrap_or(tail.next_fragment);
        let Some(copy) = self.free_copy(log, fragment, number)? else {
            return Ok(());
        };
        let value = [&fragment.at.as_micros().to_be_bytes()[..], fragment.text.as_bytes()].concat();
        self.note_news(News::Written(log.0));
        self.put(Table::Fragment, &log.fragment(fragment.phase, number, copy), &value)?;
        let piece = log.key().number(tail.next_piece);
        self.put(Table::Drain, &piece, fragment.text.as_bytes())?;
        if old.is_none() {
            // The sweep asks the tail when the log was last written, so that no line moves this row.
            self.replace_rows(&[], &[since_row(now, log.key().as_slice())])?;
        }
        tail.next_fragment = tail.next_fragment.max(number.saturating_add(1));
        tail.next_piece += 1;
        tail.at = now.as_micros();
        self.put_record(Table::LogTail, &log.key(), &tail)
    }

    /// Adds pieces to what is read once, and nothing to the fragments: for text whose phase nobody knows any more.
    pub fn append_drain(
        &mut self,
        log: Log,
        pieces: &[String],
        now: Timestamp,
    ) -> Result<(), Error> {
        let old = tail(self, log)?;
        let mut tail = old.clone().unwrap_or_default();
        for piece in pieces {
            self.put(Table::Drain, &log.key().number(tail.next_piece), piece.as_bytes())?;
            tail.next_piece += 1;
        }
        if old.is_none() {
            self.replace_rows(&[], &[since_row(now, log.key().as_slice())])?;
        }
        tail.at = tail.at.max(now.as_micros());
        self.put_record(Table::LogTail, &log.key(), &tail)
    }

    /// How many pieces a log ever had.
    pub fn drained_pieces(&self, log: Log) -> Result<u64, Error> {
        Ok(tail(self, log)?.map_or(0, |tail| tail.next_piece))
    }

    /// Which copy of its number a fragment would be; `None` when it is there already.
    fn free_copy(&self, log: Log, fragment: &Fragment, number: i64) -> Result<Option<u64>, Error> {
        let prefix = log.phase(fragment.phase).signed(number);
        let (mut copy, mut there) = (0, false);
        self.scan_prefix(Table::Fragment, &prefix, None, &mut |_, value| {
            there |= split(value).1 == fragment.text.as_bytes();
            copy += 1;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok((!there).then_some(copy))
    }

    /// Moves fragments to another phase of the same log; one that is there already is only removed here.
    pub fn move_fragments(
        &mut self,
        log: Log,
        (from, to): (Phase, Phase),
        rows: &[FragmentRow],
    ) -> Result<(), Error> {
        for row in rows {
            let old = log.fragment(from, row.number, row.copy);
            let Some(value) = self.get(Table::Fragment, &old)? else { continue };
            let (at, text) = split(&value);
            let text = String::from_utf8_lossy(text).into_owned();
            let fragment = Fragment { number: Some(row.number), phase: to, at, text };
            if let Some(copy) = self.free_copy(log, &fragment, row.number)? {
                self.put(Table::Fragment, &log.fragment(to, row.number, copy), &value)?;
            }
            self.remove(Table::Fragment, &old)?;
        }
        Ok(())
    }

    /// Removes every fragment, read or not, whose text is such a one.
    pub fn retract(&mut self, log: Log, such: impl Fn(&[u8]) -> bool) -> Result<(), Error> {
        let mut found = Vec::new();
        for (table, text_of) in [
            (Table::Fragment, (|value| split(value).1) as fn(&[u8]) -> &[u8]),
            (Table::Drain, |value| value),
        ] {
            self.scan_prefix(table, &log.key(), None, &mut |key, value| {
                if such(text_of(value)) {
                    found.push((table, Key::new().raw(key)));
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        for (table, key) in found {
            self.remove(table, &key)?;
        }
        Ok(())
    }

    /// Forgets the pieces up to and including this number: they were read.
    pub fn forget_drained(&mut self, log: Log, up_to: u64) -> Result<(), Error> {
        for (number, _) in self.drain_pieces(log)? {
            if number <= up_to {
                self.remove(Table::Drain, &log.key().number(number))?;
            }
        }
        Ok(())
    }

    /// Removes both logs of a job.
    pub fn remove_logs(&mut self, job: JobId) -> Result<(), Error> {
        for kind in LogKind::ALL {
            let key = Log(job, kind).key();
            for table in [Table::Fragment, Table::Drain, Table::LogTail] {
                self.remove_prefix(table, &key)?;
            }
        }
        Ok(())
    }
}
