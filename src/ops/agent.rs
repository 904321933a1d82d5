//! Agents say how they are.

use super::{By, Error, acknowledge, aside, change_agent, lease};
use crate::domain::{Agent, AgentName, AgentPost, JobId, Provision, Timestamp};
use crate::store::{AgentReads, JobReads, WriteTx};

/// What an agent says about itself takes this many bytes at most, however many posts it says it in.
const LARGEST: usize = 1 << 20;

/// Merges what an agent posts about itself; an unknown agent appears.
///
/// # Errors
/// [`Error::AgentTooLarge`]
pub fn post_agent(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    name: &AgentName,
    post: &AgentPost,
    by: &By,
) -> Result<(), Error> {
    let old = tx.agent(name)?;
    let agent = match &old {
        Some(old) => old.reported(post, now),
        None => Agent::new(name.clone(), tx.next_place()?, now).reported(post, now),
    };
    if agent.fields.iter().map(|(name, json)| name.len() + json.len()).sum::<usize>() > LARGEST {
        return Err(Error::AgentTooLarge);
    }
    change_agent(tx, now, &by.actor(), (old.as_ref(), &agent))?;
    tx.append_agent_log(name, &post.log)?;
    if post.queues.is_some() && by.agent.as_ref() == Some(name) {
        lease::began_anew(tx, now, name)?;
    }
    if let Some(id) = post.job() {
        // Without a cookie too: the path says who it is.
        let by = By { agent: Some(name.clone()), ..by.clone() };
        acknowledge(tx, id, &by)?;
    }
    Ok(())
}

/// Keeps how a provisioning ended and counts how many ended alike in a row; the agent is set aside when `quarantine_after`
/// failed. The agent need not be known: its log is then there when it appears.
pub fn post_provision(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    name: &AgentName,
    entry: &Provision,
    quarantine_after: u64,
) -> Result<(), Error> {
    let job = JobId::from_path(&entry.job_id).map(|id| tx.job(id)).transpose()?.flatten();
    let submitted_by = job.and_then(|job| job.client);
    tx.append_provision(name, &Provision { submitted_by, ..entry.clone() })?;
    if let Some(old) = tx.agent(name)? {
        let agent = old.provisioned(entry);
        tx.put_agent(Some(&old), &agent)?;
        aside::quarantine(tx, now, &agent, quarantine_after)?;
    }
    Ok(())
}
