//! What changes is written down: who did it, and why.

use crate::domain::{Actor, Agent, Change, Event, Job, Subject, Timestamp};
use crate::store::{Error, WriteTx};

/// Makes `old` into `new`, which is the same job, and writes into its history what changed.
pub(super) fn change_job(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    actor: &Actor,
    (old, new): (&Job, &Job),
    why: &str,
) -> Result<(), Error> {
    tx.update_job(old, new)?;
    write_down(tx, now, actor, &Subject::Job(new.id), new.changes(Some(old)), why)
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
