//! An agent gets a job.

use super::{By, Error, job_changed};
use crate::domain::{JobState, Timestamp};
use crate::store::{self, Ask, Job, JobReads, WriteTx};

/// A job and what was submitted.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The job, running.
    pub job: Job,
    /// The JSON object that was submitted, without `job_id`.
    pub body: String,
}

/// Hands out the job with the highest priority over all named queues, in submit order, to exactly one caller.
///
/// An agent that says who it is and has not acknowledged the job that it was handed gets the same one again: the
/// answer with it was lost.
///
/// # Errors
/// Only what the store says.
pub fn claim(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    ask: &Ask,
    by: &By,
) -> Result<Option<Claimed>, Error> {
    if let Some(agent) = &ask.agent
        && let Some(job) = tx.unacknowledged(agent, &ask.queues)?
    {
        return claimed(tx, job).map(Some);
    }
    let Some(id) = tx.first_claimable(ask)? else {
        return Ok(None);
    };
    let missing = || store::Error::Corrupt(format!("waiting job {id} has no record"));
    let old = tx.job(id)?.ok_or_else(missing)?;
    let job = Job {
        state: JobState::new(JobState::RUNNING),
        started_at: Some(now),
        agent: ask.agent.clone(),
        acknowledged: false,
        ..old.clone()
    };
    let seconds = u32::try_from(now.since(old.created_at).as_secs()).unwrap_or(u32::MAX);
    tx.append_wait(&job.queue, seconds)?;
    tx.update_job(&old, &job)?;
    job_changed(tx, now, by, (&old, &job), "claimed")?;
    claimed(tx, job).map(Some)
}

fn claimed(tx: &WriteTx<'_>, job: Job) -> Result<Claimed, Error> {
    let missing = || store::Error::Corrupt(format!("job {} has no body", job.id));
    let body = tx.job_body(job.id)?.ok_or_else(missing)?;
    Ok(Claimed { job, body })
}
