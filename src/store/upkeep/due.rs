//! What retention would remove now: the one place that says whether something is old enough and not needed.

use std::ops::Bound;

use super::expiry::Ages;
use crate::domain::{
    Advertised, Agent, AgentName, Blob, BlobKind, Job, JobId, Log, QueueName, Refresh, Secret,
    Timestamp,
};
use crate::store::engine::{Direction, Error, Key, Rows, Table, meta};
use crate::store::nouns::aging::{Kind, split};
use crate::store::nouns::{
    AgentReads, BlobReads, ClientReads, JobReads, LogReads, QueueReads, SecretReads, blob, result,
    secret,
};

/// Something that is old enough and not needed.
pub(super) enum Thing {
    Job(Job),
    Result(JobId, Timestamp),
    Blob(JobId, BlobKind, Blob),
    Agent(Agent),
    Queue(Advertised),
    Refresh([u8; 32], Refresh),
    Secret(Secret),
    Drain(Log, Timestamp),
}

/// Something that retention would remove now.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// What it is.
    pub kind: Kind,
    /// Its name; a file has the id of its job and its kind, a token the client's.
    pub name: String,
    /// From when on its age counts; for a secret, when it ended.
    pub since: Timestamp,
    /// How many bytes of files go with it.
    pub bytes: u64,
}

/// Where a list of what is due goes on: the last expiry row that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueAfter(Vec<u8>);

impl DueAfter {
    pub(super) const fn of(row: Vec<u8>) -> Self {
        Self(row)
    }
}

/// A part of a list of what is due, and where it goes on.
pub type DuePage = (Vec<Due>, Option<DueAfter>);

/// Reading what is due.
pub trait DueReads {
    /// What would go because of its age, `limit` expiry rows at a time. A page may be empty although another follows.
    fn due_after(
        &self,
        ages: &Ages,
        now: Timestamp,
        after: Option<&DueAfter>,
        limit: usize,
    ) -> Result<DuePage, Error>;
    /// The files that may go before their time, oldest first, in the same manner.
    fn spare_files(
        &self,
        ages: &Ages,
        now: Timestamp,
        after: Option<&DueAfter>,
        limit: usize,
    ) -> Result<DuePage, Error>;
    /// When retention last looked at everything, to the hour.
    fn last_sweep(&self) -> Result<Option<Timestamp>, Error>;
}

impl<R: Rows> DueReads for R {
    fn due_after(
        &self,
        ages: &Ages,
        now: Timestamp,
        after: Option<&DueAfter>,
        limit: usize,
    ) -> Result<DuePage, Error> {
        let at = |kind: &Kind| after.is_some_and(|DueAfter(row)| kind.owns(row));
        let first = Kind::ALL.iter().position(at).unwrap_or(0);
        for kind in Kind::ALL.into_iter().skip(first) {
            let before = now.minus(ages.of(kind));
            let rows = rows(self, kind, after, kind.key(before, &[]).as_slice(), limit)?;
            let Some(last) = rows.last().cloned() else { continue };
            let mut found = Vec::new();
            for row in &rows {
                let thing = due(self, kind, split(row).1, before)?;
                if let Some(thing) = thing.filter(|thing| !goes_with_job(self, thing, ages, now)) {
                    found.push(described(self, kind, thing)?);
                }
            }
            return Ok((found, Some(DueAfter(last))));
        }
        Ok((Vec::new(), None))
    }

    fn spare_files(
        &self,
        ages: &Ages,
        now: Timestamp,
        after: Option<&DueAfter>,
        limit: usize,
    ) -> Result<DuePage, Error> {
        let (kind, end) = (Kind::Blob, Key::new().byte(Kind::Blob.byte()).after_prefix());
        let rows = rows(self, kind, after, end.as_deref().unwrap_or_default(), limit)?;
        let Some(last) = rows.last().cloned() else { return Ok((Vec::new(), None)) };
        let mut found = Vec::new();
        for row in &rows {
            let file = due(self, kind, split(row).1, Timestamp::from_micros(i64::MAX))?;
            if let Some(file) = file.filter(|file| !goes_with_job(self, file, ages, now)) {
                found.push(described(self, kind, file)?);
            }
        }
        found.retain(|file| file.since >= now.minus(ages.files));
        Ok((found, Some(DueAfter(last))))
    }

    fn last_sweep(&self) -> Result<Option<Timestamp>, Error> {
        meta::last_sweep(self)
    }
}

/// The expiry rows of a kind after `after` and before `end`, at most `limit`.
pub(super) fn rows(
    tx: &impl Rows,
    kind: Kind,
    after: Option<&DueAfter>,
    end: &[u8],
    limit: usize,
) -> Result<Vec<Vec<u8>>, Error> {
    let start = Key::new().byte(kind.byte());
    let from = match after {
        Some(DueAfter(row)) if kind.owns(row) => Bound::Excluded(row.as_slice()),
        _ => Bound::Included(start.as_slice()),
    };
    // The clock may have been set back while a list is read.
    if matches!(from, Bound::Excluded(row) if row >= end) {
        return Ok(Vec::new());
    }
    let range = (from, Bound::Excluded(end));
    tx.collect(Table::Expiry, (range, Direction::Forward), limit, |key, _| Ok(key.to_vec()))
}

/// What a row stands for, if it is older than `before` and not needed. The row may be a stray one, so the thing itself is
/// asked for its age.
pub(super) fn due(
    tx: &impl Rows,
    kind: Kind,
    key: &[u8],
    before: Timestamp,
) -> Result<Option<Thing>, Error> {
    Ok(match kind {
        Kind::Job => tx.job(JobId::stored(key)?)?.filter(|job| is_due(job, before)).map(Thing::Job),
        Kind::Result => {
            let id = JobId::stored(key)?;
            let since = result::since(tx, id)?.filter(|since| *since < before);
            match since {
                Some(since) if tx.job_of(id)?.is_none() => Some(Thing::Result(id, since)),
                _ => None,
            }
        }
        Kind::Blob => {
            let Some((id, which)) = blob::parse_key(key) else {
                return Err(Error::Corrupt("expiry row of a file".to_owned()));
            };
            let found = tx.blob(id, which)?.filter(|blob| blob.created_at < before);
            match found {
                Some(blob) if !keeps_files(tx.job_of(id)?.as_ref()) => {
                    Some(Thing::Blob(id, which, blob))
                }
                _ => None,
            }
        }
        Kind::Agent => tx
            .agent(&AgentName::stored(key)?)?
            .filter(|agent| agent.updated_at < before && !agent.is_out_of_service())
            .map(Thing::Agent),
        Kind::Queue => tx
            .advertised(&QueueName::stored(key)?)?
            .filter(|queue| queue.updated_at.is_some_and(|at| at < before))
            .map(Thing::Queue),
        Kind::Refresh => {
            let digest = key.try_into().unwrap_or_default();
            tx.refresh(&digest)?
                .filter(|token| token.used_at < before)
                .map(|token| Thing::Refresh(digest, token))
        }
        Kind::Secret => {
            let (client, path) = secret::parse_key(key)?;
            tx.secret(&client, &path)?
                .filter(|secret| secret.expires_at.is_some_and(|end| end < before))
                .map(Thing::Secret)
        }
        Kind::Drain => {
            let Some(log) = Log::parse(key) else {
                return Err(Error::Corrupt("expiry row of a log".to_owned()));
            };
            tx.log_written(log)?.filter(|at| *at < before).map(|at| Thing::Drain(log, at))
        }
    })
}

fn ended(job: &Job) -> Timestamp {
    job.finished_at.unwrap_or(job.created_at)
}

fn is_due(job: &Job, before: Timestamp) -> bool {
    job.state.is_finished() && !job.pinned && ended(job) < before
}

/// Whether the files of a job stay whatever their age.
pub(super) fn keeps_files(job: Option<&Job>) -> bool {
    job.is_some_and(|job| job.pinned || !job.state.is_finished())
}

/// Whether a file is not worth a line of its own, because its job goes with all its files. What cannot be read gets one.
fn goes_with_job(tx: &impl Rows, thing: &Thing, ages: &Ages, now: Timestamp) -> bool {
    let Thing::Blob(id, ..) = thing else { return false };
    let job = tx.job_of(*id).ok().flatten();
    job.is_some_and(|job| is_due(&job, now.minus(ages.jobs)))
}

fn described(tx: &impl Rows, kind: Kind, thing: Thing) -> Result<Due, Error> {
    let (name, since, bytes) = match thing {
        Thing::Job(job) => (job.id.to_string(), ended(&job), file_bytes(tx, &job)?),
        Thing::Result(id, since) => (id.to_string(), since, 0),
        Thing::Blob(id, which, blob) => {
            let id = tx.job_of(id)?.map_or(id, |job| job.id);
            (format!("{id} {}", which.as_str()), blob.created_at, blob.size)
        }
        Thing::Agent(agent) => (agent.name.to_string(), agent.updated_at, 0),
        Thing::Queue(queue) => (queue.name.to_string(), queue.updated_at.unwrap_or_default(), 0),
        Thing::Refresh(_, token) => (token.client.to_string(), token.used_at, 0),
        Thing::Secret(secret) => {
            (format!("{} {}", secret.client, secret.path), secret.expires_at.unwrap_or_default(), 0)
        }
        Thing::Drain(Log(id, which), at) => (format!("{id} {}", which.as_str()), at, 0),
    };
    Ok(Due { kind, name, since, bytes })
}

/// How many bytes the files of a job and of its tries have.
pub(super) fn file_bytes(tx: &impl Rows, job: &Job) -> Result<u64, Error> {
    let mut bytes = 0;
    for id in job.ids() {
        for kind in BlobKind::ALL {
            bytes += tx.blob(id, kind)?.map_or(0, |blob| blob.size);
        }
    }
    Ok(bytes)
}
