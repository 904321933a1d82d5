//! What changes is written down: who did it, and why.

use crate::domain::{Actor, Agent, Change, Event, Job, Subject, Timestamp};
use crate::store::{AgentReads, Error, WriteTx};

/// Makes `old` into `new`, which is the same job, and writes into its history what changed. The agent that has the job
/// says so.
pub(super) fn change_job(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    actor: &Actor,
    (old, new): (&Job, &Job),
    why: &str,
) -> Result<(), Error> {
    tx.update_job(old, new)?;
    if let (false, Some(ran)) = (old.state.is_finished(), new.ran()) {
        tx.append_run(&new.queue, u32::try_from(ran.as_secs()).unwrap_or(u32::MAX))?;
    }
    write_down(tx, now, actor, &Subject::Job(new.id), new.changes(Some(old)), why)?;
    hand_over(tx, now, actor, (old, new))
}

/// Makes agents say which job they have: the one that got the job, and the one that had it, unless that has gone on to
/// another.
pub(super) fn hand_over(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    actor: &Actor,
    (old, new): (&Job, &Job),
) -> Result<(), Error> {
    let (had, has) = (old.runner(), new.runner());
    if had == has {
        return Ok(());
    }
    for (name, job) in [(had, None), (has, Some(new.id))] {
        let Some(agent) = name.map(|name| tx.agent(name)).transpose()?.flatten() else { continue };
        if job.is_some() || agent.job() == Some(old.id) {
            change_agent(tx, now, actor, (Some(&agent), &agent.with_job(job)))?;
        }
    }
    Ok(())
}

/// Adds an agent, or makes `old` into `new`, and writes into its history what changed.
pub(super) fn change_agent(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    actor: &Actor,
    (old, new): (Option<&Agent>, &Agent),
) -> Result<(), Error> {
    tx.put_agent(old, new)?;
    write_down(tx, now, actor, &Subject::Agent(new.name.clone()), new.changes(old), "")
}

/// Adds changes to the history of a subject.
pub(super) fn write_down(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    actor: &Actor,
    subject: &Subject,
    changes: Vec<Change>,
    why: &str,
) -> Result<(), Error> {
    for change in changes {
        let event = Event { at: now, actor: actor.clone(), change, why: why.to_owned() };
        tx.append_history(subject, &event)?;
    }
    Ok(())
}
