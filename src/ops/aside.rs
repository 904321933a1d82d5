//! Agents that get no jobs for a while: the administrator drains them, or their provisionings fail.
//!
//! An agent that is set aside finishes what it runs, and what it says of its own state stays as it is.

use super::{By, Error, change_agent};
use crate::domain::{Actor, Agent, AgentName, Aside, Cause, Timestamp};
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

/// How many other agents of each queue are looked at.
const LOOKED_AT: usize = 1000;

/// Sets an agent aside whose last `after` provisionings failed, if others of its queues passed: then it is the agent, and
/// not what is provisioned. Never the last one in service of a queue, because a bad agent is better than none; 0 means
/// never at all.
pub(super) fn quarantine(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    agent: &Agent,
    after: u64,
) -> Result<(), Error> {
    let Some((false, failed)) = agent.streak.filter(|(_, count)| after > 0 && *count >= after)
    else {
        return Ok(());
    };
    if agent.aside.is_some() || !others_pass(tx, agent)? {
        return Ok(());
    }
    let why = format!("its last {failed} provisionings failed, while others of its queues passed");
    tracing::warn!(agent = %agent.name, "an agent is quarantined: {why}");
    let aside = Aside { cause: Cause::Quarantine, since: now, why };
    Ok(change_agent(tx, now, &Actor::Server, (Some(agent), &agent.set_aside(aside)))?)
}

/// Whether each queue of an agent has another one in service, and the last provisioning of one of these passed.
fn others_pass(tx: &WriteTx<'_>, agent: &Agent) -> Result<bool, Error> {
    let mut pass = false;
    for queue in &agent.queues {
        let mut others = tx.queue_agents_after(queue, 0, LOOKED_AT)?;
        others.retain(|other| other.name != agent.name && !other.is_out_of_service());
        if others.is_empty() {
            return Ok(false);
        }
        pass |= others.iter().any(|other| matches!(other.streak, Some((true, _))));
    }
    Ok(pass)
}
