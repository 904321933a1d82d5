//! Results: the members that were posted for a job id, whether or not there is such a job.
//!
//! A member's value is kept as the JSON text that was posted. Large ones (whole logs, mostly) are cut into chunks, so
//! that reading the state never touches them and an answer can be streamed.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::JobReads;
use super::aging::Kind;
use crate::domain::{JobId, Timestamp};
use crate::store::engine::{Error, IndexRow, Key, Rows, Table, Tail, WriteTx};

/// Values above this many bytes are cut.
const INLINE: usize = 32 * 1024;
/// The size of a piece. A multiple of the page size, large enough that a 43 MB log has a few hundred.
pub const CHUNK: u64 = 128 * 1024;

const INLINE_MARK: u8 = 0;
const CHUNKED_MARK: u8 = 1;

/// The value of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Member {
    /// Its JSON text.
    Inline(String),
    /// It has this many chunks; see [`ResultReads::result_chunk`].
    Chunked {
        /// How many chunks.
        count: u64,
        /// Another number each time that the value is replaced.
        version: u64,
    },
}

fn since_row(since: Timestamp, job: &[u8]) -> IndexRow {
    (Table::Expiry, Kind::Result.key(since, job), Vec::new())
}

/// When a result was last posted for a job that is unknown.
pub(crate) fn since(rows: &impl Rows, job: JobId) -> Result<Option<Timestamp>, Error> {
    let value = rows.get(Table::ResultSince, &job.key())?;
    Ok(value.map(|bytes| since_in(&bytes)))
}

fn since_in(value: &[u8]) -> Timestamp {
    Timestamp::from_micros(Tail(value).number().cast_signed())
}

/// The index rows of the stored age of a result.
pub(crate) fn index_of_since(key: &[u8], value: &[u8]) -> Vec<IndexRow> {
    vec![since_row(since_in(value), key)]
}

fn chunks(job: JobId, member: &str) -> Key {
    chunks_of(job.as_bytes(), member)
}

pub(crate) fn chunks_of(job: &[u8], member: &str) -> Key {
    // The length keeps members apart of which one begins like another; names are as long as clients make them.
    Key::new().raw(job).number(member.len() as u64).text(member)
}

/// Reading results.
pub trait ResultReads {
    /// The members that were posted, by name; `None` when nothing was.
    fn result(&self, job: JobId) -> Result<BTreeMap<String, Member>, Error>;
    /// One of them.
    fn result_member(&self, job: JobId, name: &str) -> Result<Option<Member>, Error>;
    /// The `n`-th piece of a large member's JSON text, from 0.
    fn result_chunk(&self, job: JobId, member: &str, n: u64) -> Result<Option<Vec<u8>>, Error>;
}

impl<R: Rows> ResultReads for R {
    fn result(&self, job: JobId) -> Result<BTreeMap<String, Member>, Error> {
        let prefix = job.key();
        let mut members = BTreeMap::new();
        self.scan_prefix(Table::Result, &prefix, None, &mut |key, value| {
            let name = key.get(prefix.as_slice().len()..).unwrap_or_default();
            let name = String::from_utf8_lossy(name).into_owned();
            members.insert(name, member(value)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(members)
    }

    fn result_member(&self, job: JobId, name: &str) -> Result<Option<Member>, Error> {
        self.get(Table::Result, &job.key().text(name))?.map(|value| member(&value)).transpose()
    }

    fn result_chunk(&self, job: JobId, member: &str, n: u64) -> Result<Option<Vec<u8>>, Error> {
        self.get(Table::ResultChunk, &chunks(job, member).number(n))
    }
}

/// A stored member.
pub(crate) fn member(value: &[u8]) -> Result<Member, Error> {
    match value {
        [INLINE_MARK, text @ ..] => Ok(Member::Inline(String::from_utf8_lossy(text).into_owned())),
        [CHUNKED_MARK, numbers @ ..] if numbers.len() == 16 => {
            let mut tail = Tail(numbers);
            let version = tail.number();
            Ok(Member::Chunked { count: tail.number(), version })
        }
        _ => Err(Error::Corrupt("a member of a result is neither text nor chunks".to_owned())),
    }
}

impl WriteTx<'_> {
    /// Sets one member to this JSON text, whatever it was before.
    pub fn put_result(&mut self, job: JobId, member: &str, json: &str) -> Result<(), Error> {
        self.remove_result_member(job, member)?;
        let prefix = chunks(job, member);
        let value = if json.len() <= INLINE {
            [&[INLINE_MARK], json.as_bytes()].concat()
        } else {
            let mut count: u64 = 0;
            for piece in json.as_bytes().chunks(usize::try_from(CHUNK).unwrap_or(usize::MAX)) {
                self.put(Table::ResultChunk, &prefix.clone().number(count), piece)?;
                count += 1;
            }
            let version = self.next_seq()?;
            [&[CHUNKED_MARK][..], &count.to_be_bytes(), &version.to_be_bytes()].concat()
        };
        self.put(Table::Result, &job.key().text(member), &value)
    }

    /// Removes one member, if it is there.
    pub fn remove_result_member(&mut self, job: JobId, member: &str) -> Result<(), Error> {
        let key = job.key().text(member);
        match self.get(Table::Result, &key)? {
            None => return Ok(()),
            Some(old) if old.first() == Some(&CHUNKED_MARK) => {
                self.remove_prefix(Table::ResultChunk, &chunks(job, member))?;
            }
            Some(_) => {}
        }
        self.remove(Table::Result, &key)?;
        Ok(())
    }

    /// Moves all that was posted for a job to another id, under which nothing was posted.
    pub fn move_result(&mut self, (from, to): (JobId, JobId)) -> Result<(), Error> {
        for (name, member) in self.result(from)? {
            if let Member::Chunked { count, .. } = member {
                for n in 0..count {
                    let piece = self.result_chunk(from, &name, n)?.unwrap_or_default();
                    self.put(Table::ResultChunk, &chunks(to, &name).number(n), &piece)?;
                }
            }
            let value = self.get(Table::Result, &from.key().text(&name))?.unwrap_or_default();
            self.put(Table::Result, &to.key().text(&name), &value)?;
        }
        self.remove_result(from)
    }

    /// Marks a result of an unknown job as posted now, so that retention finds it. What is posted late about a try of a job
    /// goes with the job.
    pub fn expire_result(&mut self, job: JobId, now: Timestamp) -> Result<(), Error> {
        if self.job_of(job)?.is_some() {
            return Ok(());
        }
        self.remove_result_since(job)?;
        self.put(Table::ResultSince, &job.key(), &now.as_micros().to_be_bytes())?;
        self.replace_rows(&[], &[since_row(now, job.as_bytes())])
    }

    fn remove_result_since(&mut self, job: JobId) -> Result<(), Error> {
        if let Some(since) = since(self, job)? {
            self.replace_rows(&[since_row(since, job.as_bytes())], &[])?;
            self.remove(Table::ResultSince, &job.key())?;
        }
        Ok(())
    }

    /// Removes all that was posted for a job.
    pub fn remove_result(&mut self, job: JobId) -> Result<(), Error> {
        self.remove_result_since(job)?;
        self.remove_prefix(Table::Result, &job.key())?;
        self.remove_prefix(Table::ResultChunk, &job.key())
    }
}
