//! Retention: what is old enough goes, in small batches.
//!
//! An expiry row says from when on the age of a thing counts, not when it ends: a changed setting then holds at once
//! for everything that is there. Rows sort by kind and time, so a sweep reads only what is due.

use std::time::Duration;

use super::due::{self, DueAfter, Thing, due, file_bytes, keeps_files};
use crate::domain::{AgentName, BlobKind, JobId, Log, LogKind, Subject, Timestamp};
use crate::store::engine::{Error, Key, Rows, Table, WriteTx};
use crate::store::nouns::aging::{Kind, split};
use crate::store::nouns::{AgentReads, JobReads, LogReads, blob, history};

/// About how many rows one batch removes, because every other write waits for it. What has more rows goes in pieces.
const ROWS: usize = 512;
/// For how many rows something counts besides its logs, results and history.
const THING: usize = 16;

/// How old each class may get.
#[derive(Clone, Debug)]
pub struct Ages {
    /// Finished jobs with their results, logs and history; results of unknown jobs.
    pub jobs: Duration,
    /// Artifacts and attachments of jobs that are not running.
    pub files: Duration,
    /// Agents that say nothing and are in service.
    pub agents: Duration,
    /// Queues that are no longer advertised.
    pub queues: Duration,
    /// Text of logs that can be read only once and was not read.
    pub drain: Duration,
    /// Refresh tokens that are not used.
    pub refresh: Duration,
}

impl Ages {
    pub(super) const fn of(&self, kind: Kind) -> Duration {
        match kind {
            Kind::Job | Kind::Result => self.jobs,
            Kind::Blob => self.files,
            Kind::Agent => self.agents,
            Kind::Queue => self.queues,
            Kind::Refresh => self.refresh,
            Kind::Drain => self.drain,
            Kind::Secret => Duration::ZERO,
        }
    }
}

/// What one sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many things were removed.
    pub removed: usize,
    /// How many bytes of files went with them.
    pub bytes: u64,
    /// There was more than one batch holds: sweep again.
    pub more: bool,
}

/// Which files were removed before their time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Freed {
    /// How many.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Where to go on; `None` when there are no more.
    pub next: Option<DueAfter>,
}

/// What became of something that was due.
#[derive(PartialEq, Eq)]
enum Outcome {
    Gone,
    /// Something of it is still there.
    Partly,
    /// Nothing was due.
    Stays,
}

impl WriteTx<'_> {
    /// Removes up to `limit` things of each kind that are older than `ages` allow, and fewer when they have many rows.
    pub fn sweep(&mut self, ages: &Ages, now: Timestamp, limit: usize) -> Result<Swept, Error> {
        let (mut swept, mut room) = (Swept::default(), ROWS);
        for kind in Kind::ALL {
            let before = now.minus(ages.of(kind));
            let due = due::rows(self, kind, None, kind.key(before, &[]).as_slice(), limit + 1)?;
            swept.more |= due.len() > limit;
            for row in due.into_iter().take(limit) {
                if room == 0 {
                    swept.more = true;
                    return Ok(swept);
                }
                let key = split(&row).1;
                let (outcome, bytes) = self.expire(kind, key, before, &mut room)?;
                if outcome == Outcome::Partly {
                    swept.more = true;
                    return Ok(swept);
                }
                self.remove(Table::Expiry, &Key::new().raw(&row))?;
                if outcome == Outcome::Gone {
                    swept.removed += 1;
                    swept.bytes += bytes;
                } else if self.is_kept(kind, key)? {
                    // Looked at again when another age has passed.
                    self.put(Table::Expiry, &kind.key(now, key), &[])?;
                }
                room = room.saturating_sub(THING);
            }
        }
        Ok(swept)
    }

    /// Removes the oldest files of jobs that have ended and are not pinned, whatever their age, until they have `needed`
    /// bytes. Looks at up to `limit` files from `after` on.
    pub fn free_files(
        &mut self,
        needed: u64,
        after: Option<&DueAfter>,
        limit: usize,
    ) -> Result<Freed, Error> {
        let end = Key::new().byte(Kind::Blob.byte()).after_prefix().unwrap_or_default();
        let mut freed = Freed::default();
        for row in due::rows(self, Kind::Blob, after, &end, limit)? {
            if freed.bytes >= needed {
                break;
            }
            if let Some(Thing::Blob(id, which, blob)) =
                due(self, Kind::Blob, split(&row).1, Timestamp::from_micros(i64::MAX))?
            {
                self.remove_blob(id, which)?;
                freed.files += 1;
                freed.bytes += blob.size;
            }
            freed.next = Some(DueAfter::of(row));
        }
        Ok(freed)
    }

    /// Whether something that is old enough must stay for now, and so be looked at again.
    fn is_kept(&self, kind: Kind, key: &[u8]) -> Result<bool, Error> {
        Ok(match kind {
            Kind::Job => self.job(JobId::stored(key)?)?.is_some_and(|job| job.pinned),
            Kind::Blob => match blob::parse_key(key) {
                Some((id, _)) => keeps_files(self.job_of(id)?.as_ref()),
                None => false,
            },
            Kind::Agent => {
                let agent = self.agent(&AgentName::stored(key)?)?;
                agent.is_some_and(|agent| agent.is_out_of_service())
            }
            Kind::Result | Kind::Queue | Kind::Refresh | Kind::Secret => false,
            // More may be written as long as the log is there.
            Kind::Drain => {
                let written = Log::parse(key).map(|log| self.log_written(log)).transpose()?;
                written.flatten().is_some()
            }
        })
    }

    /// Removes one thing if it is due; gives the bytes of its files.
    fn expire(
        &mut self,
        kind: Kind,
        key: &[u8],
        before: Timestamp,
        room: &mut usize,
    ) -> Result<(Outcome, u64), Error> {
        let Some(thing) = due(self, kind, key, before)? else {
            return Ok((Outcome::Stays, 0));
        };
        let mut bytes = 0;
        match thing {
            Thing::Job(job) => {
                bytes = file_bytes(self, &job)?;
                for id in job.ids() {
                    for kind in BlobKind::ALL {
                        self.remove_blob(id, kind)?;
                    }
                }
                self.remove_job_secrets(job.id)?;
                self.remove_job(&job)?;
                for id in job.ids() {
                    if !self.remove_posted(id, room)? {
                        // Nobody sees the rest any more: it goes as what was posted for an unknown job.
                        self.expire_result(id, job.finished_at.unwrap_or(job.created_at))?;
                    }
                }
            }
            Thing::Result(id, _) => {
                if !self.remove_posted(id, room)? {
                    return Ok((Outcome::Partly, 0));
                }
                self.remove_result(id)?;
            }
            Thing::Blob(id, which, blob) => {
                bytes = blob.size;
                self.remove_blob(id, which)?;
            }
            Thing::Agent(agent) => {
                let history = history::key(&Subject::Agent(agent.name.clone()));
                if !self.remove_some(Table::History, &history, room)? {
                    return Ok((Outcome::Partly, 0));
                }
                self.remove_agent(&agent)?;
            }
            Thing::Queue(queue) => self.remove_advertised(&queue)?,
            Thing::Refresh(digest, token) => self.remove_refresh(&digest, &token)?,
            Thing::Secret(secret) => self.remove_secret(&secret)?,
            Thing::Drain(log, _) => {
                if !self.remove_some(Table::Drain, &log.key(), room)? {
                    return Ok((Outcome::Partly, 0));
                }
                return Ok((Outcome::Stays, 0));
            }
        }
        Ok((Outcome::Gone, bytes))
    }

    /// Removes results, logs and history of a job that is gone, as far as there is room; says whether that was all.
    fn remove_posted(&mut self, id: JobId, room: &mut usize) -> Result<bool, Error> {
        let history = history::key(&Subject::Job(id));
        // Members before their chunks: a check misses chunks of a member that is there.
        let mut parts = vec![
            (Table::Result, id.key()),
            (Table::ResultChunk, id.key()),
            (Table::History, history),
        ];
        for kind in LogKind::ALL {
            let key = Log(id, kind).key();
            parts.extend(
                [Table::Fragment, Table::Drain, Table::LogTail].map(|table| (table, key.clone())),
            );
        }
        for (table, prefix) in parts {
            if !self.remove_some(table, &prefix, room)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes the rows whose keys begin with `prefix`, as far as there is room; says whether that was all.
    fn remove_some(&mut self, table: Table, prefix: &Key, room: &mut usize) -> Result<bool, Error> {
        let keys = self.list(table, prefix, (None, *room + 1), |key, _| Ok(Key::new().raw(key)))?;
        for key in keys.iter().take(*room) {
            self.remove(table, key)?;
        }
        let whole = keys.len() <= *room;
        *room = room.saturating_sub(keys.len());
        Ok(whole)
    }

    /// Removes what belongs to a job id besides the job and its history, and what is kept of the tries of the job.
    pub fn forget(&mut self, id: JobId) -> Result<(), Error> {
        match self.job(id)? {
            Some(job) => job.ids().try_for_each(|id| self.forget_id(id)),
            None => self.forget_id(id),
        }
    }

    fn forget_id(&mut self, id: JobId) -> Result<(), Error> {
        self.remove_result(id)?;
        self.remove_logs(id)?;
        self.remove_job_secrets(id)?;
        for kind in BlobKind::ALL {
            self.remove_blob(id, kind)?;
        }
        Ok(())
    }
}
