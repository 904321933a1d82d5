//! A job whose provisioning failed goes to another agent of its queue, if its submitter or its queue wants that.
//!
//! Agents report the exit code of provisioning before or with the end of the job, and clean up in between. Therefore the
//! report of the end decides: nothing of the first agent's comes after it, so that the next try has the logs and the result
//! for itself. See docs/decisions/0012.

use super::{By, Error, change_job, restricted_to, write_line};
use crate::domain::member::status_of;
use crate::domain::{
    Actor, Agent, BlobKind, Job, JobId, JobState, Log, LogKind, MOST_RETRIES, Phase, QueueName,
    Timestamp, Tried,
};
use crate::store::{AgentReads, ClientReads, LogReads, Member, ResultReads, RuleReads, WriteTx};

/// How many agents of a queue are looked at together.
const PAGE: usize = 256;

/// What follows from the end of a job that its agent reports.
pub(super) enum Next {
    /// The job has ended.
    End,
    /// The job has ended although it might have gone to another agent, and this is why it does not.
    EndBecause(String),
    /// The job goes to another agent, because provisioning failed with this exit code.
    Again(i64),
}

/// What follows when the job `old` is in the state of `new`, by a report that was merged just now. Who reports on a job that
/// another agent has by now says nothing about that agent.
pub(super) fn next(tx: &WriteTx<'_>, (old, new): (&Job, &Job), by: &By) -> Result<Next, Error> {
    let completed = matches!(new.state.as_str(), JobState::COMPLETE | JobState::COMPLETED);
    let theirs = by.agent.is_some() && by.agent != new.agent;
    if new.retries == 0 || old.state.is_finished() || !completed || theirs {
        return Ok(Next::End);
    }
    let Some(code) = exit_code(tx, new.id)?.filter(|code| *code != 0) else {
        return Ok(Next::End);
    };
    let Some(agent) = &new.agent else {
        let why = "its agent has no name, so that no other agent can be told from it";
        return Ok(Next::EndBecause(why.to_owned()));
    };
    let tries = new.tried.len() + 1;
    if tries > new.retries.min(MOST_RETRIES) as usize {
        return Ok(Next::EndBecause(format!("it was tried {tries} times")));
    }
    let mut after = 0;
    loop {
        let agents = tx.queue_agents_after(&new.queue, after, PAGE)?;
        let Some(last) = agents.last() else {
            let why = "no other agent of its queue is in service";
            return Ok(Next::EndBecause(why.to_owned()));
        };
        after = last.seq;
        for other in &agents {
            if other.name != *agent && can_take(tx, new, other)? {
                return Ok(Next::Again(code));
            }
        }
    }
}

/// Whether an agent of its queue will take a job sooner or later.
fn can_take(tx: &impl ClientReads, job: &Job, agent: &Agent) -> Result<bool, Error> {
    if job.excludes(&agent.name) || agent.is_out_of_service() {
        return Ok(false);
    }
    let restricted = restricted_to(tx, agent)?;
    Ok(restricted.is_empty() || restricted.contains_key(&job.queue))
}

fn exit_code(tx: &impl ResultReads, id: JobId) -> Result<Option<i64>, Error> {
    Ok(match tx.result_member(id, &status_of(Phase::Provision))? {
        Some(Member::Inline(json)) => json.parse().ok(),
        _ => None,
    })
}

/// Puts a job back into its old place for another agent, and keeps apart what came out of this try.
pub(super) fn again(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    (old, new): (&Job, &Job),
    exit_code: i64,
) -> Result<(), Error> {
    let (id, number) = (new.id, new.tried.len() + 1);
    let Some(agent) = new.agent.clone() else { return Ok(()) };
    let why = format!("provisioning failed on {agent} with exit code {exit_code}");
    tracing::warn!(job = %id, %agent, exit_code, "provisioning failed, so the job goes to another agent");
    let most = new.retries.min(MOST_RETRIES) + 1;
    let line = format!("{why}; try {} of {most} goes to another agent", number + 1);
    write_line(tx, now, id, Phase::Provision, &line)?;
    let kept = JobId::new();
    tx.move_result((id, kept))?;
    tx.move_blob(BlobKind::Artifact, (id, kept))?;
    let mut log_ends = [0; 2];
    for kind in LogKind::ALL {
        log_ends[kind as usize] = tx.log_end(Log(id, kind))?;
    }
    let started_at = new.started_at.unwrap_or(now);
    let tried = Tried { agent, started_at, ended_at: now, exit_code, kept, log_ends };
    Ok(change_job(tx, now, &Actor::Server, (old, &new.tried_in_vain(tried)), &why)?)
}

/// Sets how often jobs of a queue that do not say so go to another agent.
pub fn set_retries(tx: &mut WriteTx<'_>, queue: &QueueName, retries: u32) -> Result<(), Error> {
    Ok(tx.set_retries_of(queue, retries.min(MOST_RETRIES))?)
}

/// The queues for which that was set, by name.
pub fn queues_with_retries(tx: &impl RuleReads) -> Result<Vec<(QueueName, u32)>, Error> {
    Ok(tx.queues_with_retries()?)
}
