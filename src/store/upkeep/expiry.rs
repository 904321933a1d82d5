//! Retention: what is old enough goes, in small batches.
//!
//! An expiry row says from when on the age of a thing counts, not when it ends: a changed setting then holds at once
//! for everything that is there. Rows sort by kind and time, so a sweep reads only what is due.

use std::ops::Bound;
use std::time::Duration;

use crate::domain::{
    Advertised, Agent, AgentName, BlobKind, Job, JobId, Log, QueueName, Refresh, Secret, Subject,
    Timestamp,
};
use crate::store::engine::{Direction, Error, Key, Rows, Table, WriteTx};
use crate::store::nouns::aging::{Kind, split};
use crate::store::nouns::{
    AgentReads, BlobReads, ClientReads, JobReads, LogReads, QueueReads, SecretReads, blob, secret,
};

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

const fn age(kind: Kind, ages: &Ages) -> Duration {
    match kind {
        Kind::Job | Kind::Result => ages.jobs,
        Kind::Blob => ages.files,
        Kind::Agent => ages.agents,
        Kind::Queue => ages.queues,
        Kind::Refresh => ages.refresh,
        Kind::Drain => ages.drain,
        Kind::Secret => Duration::ZERO,
    }
}

/// What one sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many things were removed.
    pub removed: usize,
    /// There was more than one batch holds: sweep again.
    pub more: bool,
}

impl WriteTx<'_> {
    /// Removes up to `limit` things that are older than `ages` allow.
    pub fn sweep(&mut self, ages: &Ages, now: Timestamp, limit: usize) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        for kind in Kind::ALL {
            let before = now.minus(age(kind, ages));
            let due = self.due(kind, before, limit + 1)?;
            swept.more |= due.len() > limit;
            for (row, key) in due.into_iter().take(limit) {
                self.remove(Table::Expiry, &row)?;
                if self.expire(kind, &key, before)? {
                    swept.removed += 1;
                } else if self.is_kept(kind, &key)? {
                    // Looked at again when another age has passed.
                    self.put(Table::Expiry, &kind.key(now, &key), &[])?;
                }
            }
        }
        Ok(swept)
    }

    fn due(
        &self,
        kind: Kind,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Key, Vec<u8>)>, Error> {
        let (from, to) = (Key::new().byte(kind.byte()), kind.key(before, &[]));
        let range = (Bound::Included(from.as_slice()), Bound::Excluded(to.as_slice()));
        self.collect(Table::Expiry, (range, Direction::Forward), limit, |key, _| {
            Ok((Key::new().raw(key), split(key).1.to_vec()))
        })
    }

    /// Whether something that is old enough must stay for now, and so be looked at again.
    fn is_kept(&self, kind: Kind, key: &[u8]) -> Result<bool, Error> {
        let id = match kind {
            Kind::Job => Some(JobId::stored(key)?),
            Kind::Blob => blob::parse_key(key).map(|(id, _)| id),
            Kind::Agent => {
                let agent = self.agent(&AgentName::stored(key)?)?;
                return Ok(agent.is_some_and(|agent| agent.is_out_of_service()));
            }
            Kind::Result | Kind::Queue | Kind::Refresh | Kind::Secret => None,
            // More may be written as long as the log is there.
            Kind::Drain => {
                let written = Log::parse(key).map(|log| self.log_written(log)).transpose()?;
                return Ok(written.flatten().is_some());
            }
        };
        let job = id.map(|id| self.job(id)).transpose()?.flatten();
        Ok(job.is_some_and(|job| job.pinned || (kind == Kind::Blob && !job.state.is_finished())))
    }

    /// Removes one thing if it is older than `before` and not needed; says whether it went. The row that was due may
    /// be a stray one, so the thing itself is asked for its age.
    fn expire(&mut self, kind: Kind, key: &[u8], before: Timestamp) -> Result<bool, Error> {
        match kind {
            Kind::Job => {
                let due = |job: &Job| {
                    let ended = job.finished_at.unwrap_or(job.created_at);
                    job.state.is_finished() && !job.pinned && ended < before
                };
                let Some(job) = self.job(JobId::stored(key)?)?.filter(due) else {
                    return Ok(false);
                };
                self.forget(job.id)?;
                self.remove_job(&job)?;
                self.remove_history(&Subject::Job(job.id))?;
            }
            Kind::Result => {
                let id = JobId::stored(key)?;
                let old = self.result_since(id)?.is_some_and(|since| since < before);
                if !old || self.job(id)?.is_some() {
                    return Ok(false);
                }
                self.remove_result(id)?;
                self.remove_logs(id)?;
            }
            Kind::Blob => {
                let Some((id, which)) = blob::parse_key(key) else {
                    return Err(Error::Corrupt("expiry row of a file".to_owned()));
                };
                let old = self.blob(id, which)?.is_some_and(|blob| blob.created_at < before);
                if !old || self.is_kept(kind, key)? {
                    return Ok(false);
                }
                self.remove_blob(id, which)?;
            }
            Kind::Agent => {
                let agent = self.agent(&AgentName::stored(key)?)?;
                let due = |agent: &Agent| agent.updated_at < before && !agent.is_out_of_service();
                let Some(agent) = agent.filter(due) else {
                    return Ok(false);
                };
                self.remove_agent(&agent)?;
                self.remove_history(&Subject::Agent(agent.name))?;
            }
            Kind::Queue => {
                let queue = self.advertised(&QueueName::stored(key)?)?;
                let due = |queue: &Advertised| queue.updated_at.is_some_and(|at| at < before);
                let Some(queue) = queue.filter(due) else {
                    return Ok(false);
                };
                self.remove_advertised(&queue)?;
            }
            Kind::Refresh => {
                let digest = key.try_into().unwrap_or_default();
                let due = |token: &Refresh| token.used_at < before;
                let Some(token) = self.refresh(&digest)?.filter(due) else {
                    return Ok(false);
                };
                self.remove_refresh(&digest, &token)?;
            }
            Kind::Secret => {
                let (client, path) = secret::parse_key(key)?;
                let due = |secret: &Secret| secret.expires_at.is_some_and(|end| end < before);
                let Some(secret) = self.secret(&client, &path)?.filter(due) else {
                    return Ok(false);
                };
                self.remove_secret(&secret)?;
            }
            Kind::Drain => {
                let Some(log) = Log::parse(key) else {
                    return Err(Error::Corrupt("expiry row of a log".to_owned()));
                };
                if self.log_written(log)?.is_some_and(|at| at < before) {
                    self.forget_drained(log, u64::MAX)?;
                }
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes what belongs to a job id besides the job and its history, and what is kept of the tries of the job.
    pub fn forget(&mut self, id: JobId) -> Result<(), Error> {
        let tried = self.job(id)?.map(|job| job.tried).unwrap_or_default();
        let kept = tried.into_iter().map(|tried| tried.kept);
        kept.chain([id]).try_for_each(|id| self.forget_id(id))
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
