//! Agents that get no jobs for a while: the administrator drains them, or their provisionings fail.
//!
//! An agent that is set aside finishes what it runs, and what it says of its own state stays as it is.

use super::{By, Error, change_agent};
use crate::domain::{AgentName, Aside, Cause, Timestamp};
use crate::store::{AgentReads, WriteTx};

/// Hands out no more jobs to an agent; one that is set aside already gets this reason.
///
/// # Errors
/// [`Error::NoAgent`].
pub fn drain_agent(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    name: &AgentName,
    why: &str,
    by: &By,
) -> Result<(), Error> {
    let old = tx.agent(name)?.ok_or(Error::NoAgent)?;
    let since = old.aside.as_ref().map_or(now, |aside| aside.since);
    let aside = Aside { cause: Cause::Drain, since, why: why.to_owned() };
    Ok(change_agent(tx, now, &by.actor(), (Some(&old), &old.set_aside(aside)))?)
}

/// Hands out jobs again to an agent that was set aside, for whatever reason.
///
/// # Errors
/// [`Error::NoAgent`].
pub fn resume_agent(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    name: &AgentName,
    by: &By,
) -> Result<(), Error> {
    let old = tx.agent(name)?.ok_or(Error::NoAgent)?;
    Ok(change_agent(tx, now, &by.actor(), (Some(&old), &old.resumed()))?)
}
