//! Agents that fall silent: jobs go back, or end.
//!
//! An agent holds a job from the claim until the job ends. Until it has acknowledged the job (any request of its own
//! that names it) nothing has happened to a device, so the job may simply go back to its place. Afterwards the agent may
//! be cut off and yet run the job to its end, so silence is first only noticed, and ends the job after a long time. So does
//! asking for another job, because an agent that was cut off at the end of a job asks before it reports that end. Only an
//! agent that begins anew proves that it no longer has its job; it says which queues it serves then, and never otherwise.

use std::time::Duration;

use super::{Error, change_job, held_since, write_line};
use crate::domain::{Actor, AgentName, EndedBy, Job, JobId, Log, LogKind, Phase, Timestamp};
use crate::store::{DueReads, JobReads, WriteTx};

/// How long an agent may be silent.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Nobody could be heard before, by the clock as it is now: leases stand still while the server is down.
    pub began: Timestamp,
    /// After the claim, before the job goes back to its queue.
    pub acknowledge: Duration,
    /// Before its silence is noted.
    pub suspect: Duration,
    /// Before its job ends, whether the agent is silent or busy with other jobs.
    pub lost: Duration,
}

impl Patience {
    /// How long ago a moment was, as far as anybody could be heard after it. One that is still to come was written down
    /// before the clock was set back.
    fn since(&self, moment: Timestamp, now: Timestamp) -> Duration {
        now.since(if moment > now { self.began } else { moment.max(self.began) })
    }
}

/// What is to be done about a job whose agent is silent, or no longer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Back to its queue: the agent never acknowledged it.
    GoBack,
    /// Note that the agent is silent.
    Suspect,
    /// Note that it is heard again.
    Trust,
    /// End the job: the agent is lost.
    Lost,
    /// End the job: its agent works on others and has not reported the end of this one.
    Left,
    /// End the job: nobody took it in time.
    WaitedTooLong,
}

/// What is due for a job whose agent was last heard at `heard`.
fn due(job: &Job, heard: Timestamp, now: Timestamp, patience: &Patience) -> Option<Due> {
    if job.state.is_finished() || job.agent.is_none() {
        return None;
    }
    let since = |moment| patience.since(moment, now);
    let started = since(job.started_at.unwrap_or_default());
    if !job.acknowledged {
        // Only the claim itself counts: an agent that goes on asking for other queues has not got this job.
        return (started > patience.acknowledge).then_some(Due::GoBack);
    }
    let silent = started.min(since(heard));
    let left = job.left_since.map(since);
    match job.suspect_since {
        _ if left.is_some_and(|left| left > patience.lost) => Some(Due::Left),
        _ if silent > patience.lost => Some(Due::Lost),
        None if silent > patience.suspect => Some(Due::Suspect),
        Some(_) if silent <= patience.suspect => Some(Due::Trust),
        _ => None,
    }
}

/// The jobs for which something is due, found in a snapshot; [`act`] looks again. While the clock is not believed, no job
/// ends because of the time for which it may wait.
pub fn overdue(
    tx: &(impl DueReads + JobReads),
    now: Timestamp,
    patience: &Patience,
    heard: impl Fn(&AgentName) -> Timestamp,
) -> Result<Vec<(JobId, Due)>, Error> {
    /// Jobs that waited too long and are ended together.
    const TOGETHER: usize = 256;
    let believed = held_since(tx, now)?.is_none();
    let late = if believed { tx.waited_too_long(now, TOGETHER)? } else { Vec::new() };
    let mut found: Vec<_> = late.into_iter().map(|id| (id, Due::WaitedTooLong)).collect();
    for id in tx.held()? {
        let Some(job) = tx.job(id)? else { continue };
        let heard = job.agent.as_ref().map(&heard).unwrap_or_default();
        found.extend(due(&job, heard, now, patience).map(|due| (id, due)));
    }
    Ok(found)
}

/// Does what is due for a job, if it still is: the agent may have been heard since the look at `now`, at `heard`.
pub fn act(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    (id, found): (JobId, Due),
    patience: &Patience,
    heard: impl Fn(&AgentName) -> Timestamp,
) -> Result<(), Error> {
    let Some(old) = tx.job(id)? else {
        return Ok(());
    };
    if found == Due::WaitedTooLong {
        if old.state.is_waiting() && old.queue_until.is_some_and(|until| until < now) {
            end(tx, now, &old, "nobody took the job within its queue timeout")?;
        }
        return Ok(());
    }
    let last = old.agent.as_ref().map(heard).unwrap_or_default();
    match due(&old, last, now, patience) {
        Some(Due::GoBack) => go_back(tx, now, &old, "its agent did not acknowledge it"),
        Some(Due::Suspect) => note(tx, now, &old, &old.suspected(now)),
        Some(Due::Trust) => note(tx, now, &old, &old.trusted()),
        Some(Due::Lost) => end(tx, now, &old, "its agent fell silent"),
        Some(Due::Left) => {
            end(tx, now, &old, "its agent went on to other jobs and did not report its end")
        }
        Some(Due::WaitedTooLong) | None => Ok(()),
    }
}

/// Ends the jobs of an agent that has begun anew. Jobs that it has not acknowledged are handed to it again instead.
pub(super) fn began_anew(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    agent: &AgentName,
) -> Result<(), Error> {
    for id in tx.held_by(agent)? {
        if let Some(job) = tx.job(id)?.filter(|job| job.acknowledged) {
            end(tx, now, &job, "its agent was restarted")?;
        }
    }
    Ok(())
}

/// Puts a job that was handed out back to its old place, if it is still as it was handed out: the caller was gone
/// before the answer was written.
pub fn take_back(tx: &mut WriteTx<'_>, now: Timestamp, handed: &Job) -> Result<(), Error> {
    match tx.job(handed.id)? {
        Some(job) if job == *handed => go_back(tx, now, &job, "the caller was gone"),
        _ => Ok(()),
    }
}

fn go_back(tx: &mut WriteTx<'_>, now: Timestamp, old: &Job, why: &str) -> Result<(), Error> {
    Ok(change_job(tx, now, &Actor::Server, (old, &old.put_back()), why)?)
}

fn note(tx: &mut WriteTx<'_>, now: Timestamp, old: &Job, new: &Job) -> Result<(), Error> {
    let agent = old.agent.as_ref().map(ToString::to_string).unwrap_or_default();
    let heard = if new.suspect_since.is_some() { "silent" } else { "heard" };
    tracing::info!(job = %old.id, agent, "the agent of a job is {heard}");
    Ok(change_job(tx, now, &Actor::Server, (old, new), &agent)?)
}

/// How the line begins that says in a job's output why the server ended it.
const SENTENCE: &str = "the job was ended: ";

/// Takes the line with the reason out of a job's output, because the job has not ended so after all.
pub(super) fn take_reason_back(tx: &mut WriteTx<'_>, id: JobId) -> Result<(), Error> {
    let begin = format!("{}{SENTENCE}", super::log::SERVER);
    Ok(tx.retract(Log(id, LogKind::Output), |text| text.starts_with(begin.as_bytes()))?)
}

/// Ends a job as cancelled, which is what every client waits for, and says why: in its history, and as the last line of
/// its output for whoever reads that.
fn end(tx: &mut WriteTx<'_>, now: Timestamp, old: &Job, why: &str) -> Result<(), Error> {
    let job = old.ended(EndedBy::Server, now);
    tracing::warn!(job = %job.id, agent = ?job.agent, "a job ends: {why}");
    let phase = old.state.phase().unwrap_or(Phase::Setup);
    write_line(tx, now, job.id, phase, &format!("{SENTENCE}{why}"))?;
    Ok(change_job(tx, now, &Actor::Server, (old, &job), why)?)
}
