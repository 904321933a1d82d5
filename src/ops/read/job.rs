//! What can be seen of jobs.

use super::super::Error;
use super::Page;
use crate::domain::{Blob, BlobKind, Event, Job, JobId, QueueName, Subject};
use crate::store::{BlobReads, HistoryReads, JobReads, Lines};

/// A job and the JSON object that was submitted, without `job_id`.
pub fn submitted(tx: &impl JobReads, id: JobId) -> Result<Option<(Job, String)>, Error> {
    Ok(tx.job(id)?.zip(tx.job_body(id)?))
}

/// A job and what has happened to it, oldest first.
pub fn job_history(
    tx: &(impl JobReads + HistoryReads),
    id: JobId,
) -> Result<Option<(Job, Vec<Event>)>, Error> {
    let Some(job) = tx.job(id)? else { return Ok(None) };
    Ok(Some((job, tx.history(&Subject::Job(id))?)))
}

/// How many jobs of its queue stand before a waiting job.
///
/// # Errors
/// [`Error::NoPosition`] when the job is unknown or does not wait.
pub fn position(tx: &impl JobReads, lines: &Lines, id: JobId) -> Result<u64, Error> {
    let job = tx.job(id)?.filter(|job| job.state.is_waiting()).ok_or(Error::NoPosition)?;
    Ok(lines.before(&job))
}

/// The jobs of a queue in all states, in submit order.
pub fn queue_jobs(
    tx: &impl JobReads,
    queue: &QueueName,
    after: Option<u64>,
    limit: usize,
) -> Result<Page<Job, u64>, Error> {
    let rows = tx.queue_jobs_after(queue, after.unwrap_or(0), limit)?;
    let Page { items: rows, next } = Page::of(rows, limit, |last| last.seq);
    let mut jobs = Vec::with_capacity(rows.len());
    for row in rows {
        jobs.extend(tx.job(row.id)?);
    }
    Ok(Page { items: jobs, next })
}

/// The file of this kind that a job has.
pub fn blob(tx: &impl BlobReads, id: JobId, kind: BlobKind) -> Result<Option<Blob>, Error> {
    Ok(tx.blob(id, kind)?)
}
