//! An agent gets a job.

use super::secret::hand_out_secrets;
use super::{By, Error, change_job};
use crate::domain::{Job, JobId, JobSecret, Timestamp};
use crate::store::{self, AgentReads, Ask, JobReads, RuleReads, SecretReads, WriteTx};

/// The largest body, in bytes, that is handed out together with its job. Larger ones are read once there is room for them.
const SMALL: usize = 64 << 10;

/// A job and what was submitted.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The job, running.
    pub job: Job,
    /// The JSON object that was submitted, without `job_id`; `None` for one that is large.
    pub body: Option<String>,
    /// The secrets that it uses, sealed.
    pub secrets: Vec<JobSecret>,
    /// It is handed out for the first time; `false` when its agent gets it again.
    pub fresh: bool,
}

/// Whether [`claim`] would do something now. Empty polls end here, without the writer.
pub fn has_something(tx: &impl ClaimReads, ask: &Ask) -> Result<bool, store::Error> {
    if next(tx, ask)?.is_some() {
        return Ok(true);
    }
    let Some(agent) = &ask.agent else {
        return Ok(false);
    };
    for id in tx.held_by(agent)? {
        let ours = |job: &Job| {
            if job.acknowledged {
                job.left_since.is_none()
            } else {
                ask.queues.contains(&job.queue)
            }
        };
        if tx.job(id)?.as_ref().is_some_and(ours) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Hands out the job with the highest priority over all named queues, in submit order, to exactly one caller.
///
/// An agent that says who it is and has not acknowledged the job that it was handed gets the same one again: the
/// answer with it was lost. One that has acknowledged a job and asks for another has left that job, because agents run
/// one job at a time; it may still report how the job ended, so nothing else changes yet.
pub fn claim(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    ask: &Ask,
    by: &By,
) -> Result<Option<Claimed>, Error> {
    if let Some(agent) = &ask.agent {
        for id in tx.held_by(agent)? {
            let left = |job: &Job| job.acknowledged && job.left_since.is_none();
            if let Some(old) = tx.job(id)?.filter(left) {
                tx.update_job(&old, &old.left(now))?;
            }
        }
        if let Some(job) = tx.unacknowledged(agent, &ask.queues)? {
            let secrets = tx.job_secrets(job.id)?;
            return claimed(tx, job, secrets, false).map(Some);
        }
    }
    let Some(id) = next(tx, ask)? else {
        return Ok(None);
    };
    let missing = || store::Error::Corrupt(format!("waiting job {id} has no record"));
    let old = tx.job(id)?.ok_or_else(missing)?;
    let job = old.started(ask.agent.clone(), now);
    let seconds = u32::try_from(now.since(old.queued_at()).as_secs()).unwrap_or(u32::MAX);
    tx.append_wait(&job.queue, seconds)?;
    change_job(tx, now, &by.actor(), (&old, &job), "claimed")?;
    let secrets = if job.secrets { hand_out_secrets(tx, now, &job)? } else { Vec::new() };
    claimed(tx, job, secrets, true).map(Some)
}

/// The job that would be handed out to whoever asks; none while the server is drained, or the agent is set aside.
fn next(tx: &impl ClaimReads, ask: &Ask) -> Result<Option<JobId>, store::Error> {
    let Some(id) = tx.first_claimable(ask)? else { return Ok(None) };
    if tx.drained_since()?.is_some() {
        return Ok(None);
    }
    let agent = ask.agent.as_ref().map(|name| tx.agent(name)).transpose()?.flatten();
    Ok(Some(id).filter(|_| agent.is_none_or(|agent| agent.aside.is_none())))
}

/// What a claim reads.
pub trait ClaimReads: AgentReads + JobReads + RuleReads {}

impl<T: AgentReads + JobReads + RuleReads> ClaimReads for T {}

fn claimed(
    tx: &WriteTx<'_>,
    job: Job,
    secrets: Vec<JobSecret>,
    fresh: bool,
) -> Result<Claimed, Error> {
    let missing = || store::Error::Corrupt(format!("job {} has no body", job.id));
    let size = tx.job_body_size(job.id)?.ok_or_else(missing)?;
    let body = if size <= SMALL { tx.job_body(job.id)? } else { None };
    Ok(Claimed { job, body, secrets, fresh })
}
