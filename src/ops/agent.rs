//! Agents say how they are.

use super::{By, Error, acknowledge};
use crate::domain::{Agent, AgentName, AgentPost, Event, JobId, Provision, Subject, Timestamp};
use crate::store::{AgentReads, WriteTx};

/// The members whose changes go into an agent's history.
const TOLD: [&str; 6] = ["state", "comment", "queues", "location", "provision_type", "job_id"];

/// Merges what an agent posts about itself; an unknown agent appears.
pub fn post_agent(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    name: &AgentName,
    post: &AgentPost,
    by: &By,
) -> Result<(), Error> {
    let old = tx.agent(name)?;
    let mut agent = match &old {
        Some(old) => old.clone(),
        None => new_agent(tx, name)?,
    };
    agent.updated_at = now;
    agent.fields.extend(post.fields.clone());
    if let Some(queues) = &post.queues {
        agent.queues.clone_from(queues);
    }
    tx.put_agent(old.as_ref(), &agent)?;
    tx.append_agent_log(name, &post.log)?;
    for what in TOLD {
        let from = old.as_ref().and_then(|old| old.fields.get(what));
        let to = agent.fields.get(what);
        if from != to {
            let event = Event {
                at: now,
                actor: by.actor(),
                what: what.to_owned(),
                from: from.cloned().unwrap_or_default(),
                to: to.cloned().unwrap_or_default(),
                why: String::new(),
            };
            tx.append_history(&Subject::Agent(name.clone()), &event)?;
        }
    }
    if let Some(id) = agent.text("job_id").as_deref().and_then(JobId::from_path) {
        // Without a cookie too: the path says who it is.
        let by = By { agent: Some(name.clone()), ..by.clone() };
        acknowledge(tx, id, &by)?;
    }
    Ok(())
}

fn new_agent(tx: &mut WriteTx<'_>, name: &AgentName) -> Result<Agent, Error> {
    Ok(Agent {
        name: name.clone(),
        seq: tx.next_place()?,
        updated_at: Timestamp::default(),
        fields: std::collections::BTreeMap::new(),
        queues: Vec::new(),
        streak: None,
    })
}

/// Keeps how a provisioning ended and counts how many ended alike in a row. The agent need not be known: its log is
/// then there when it appears.
pub fn post_provision(
    tx: &mut WriteTx<'_>,
    name: &AgentName,
    entry: &Provision,
) -> Result<(), Error> {
    tx.append_provision(name, entry)?;
    if let Some(old) = tx.agent(name)? {
        let passed = entry.exit_code == 0;
        let mut agent = old.clone();
        agent.streak = Some(match old.streak {
            Some((before, count)) if before == passed => (passed, count.saturating_add(1)),
            _ => (passed, 1),
        });
        tx.put_agent(Some(&old), &agent)?;
    }
    Ok(())
}
