//! What can be seen of agents.

use std::collections::BTreeMap;

use super::super::{Error, restricted_to};
use super::Page;
use crate::domain::{Agent, AgentName, ClientId, Event, QueueName, Subject};
use crate::store::{AgentReads, ClientReads, HistoryReads, JobReads};

/// An agent, and which of its queues are restricted.
#[derive(Clone, Debug)]
pub struct AgentView {
    /// The agent.
    pub agent: Agent,
    /// Its restricted queues and who owns each; an agent that has any asks for jobs of these queues only.
    pub restricted_to: BTreeMap<QueueName, Vec<ClientId>>,
    /// The client that submitted the job that it has.
    pub submitted_by: Option<ClientId>,
}

fn view(tx: &(impl ClientReads + JobReads), agent: Agent) -> Result<AgentView, Error> {
    let job = agent.job().map(|id| tx.job(id)).transpose()?.flatten();
    let job = job.filter(|job| job.runner() == Some(&agent.name));
    let submitted_by = job.and_then(|job| job.client);
    Ok(AgentView { restricted_to: restricted_to(tx, &agent)?, submitted_by, agent })
}

/// The newest changes that are told of an agent.
const EVENTS: usize = 100;

/// What has changed of an agent, oldest first; the newest [`EVENTS`] alone. `None` when there is no such agent.
pub fn agent_history(
    tx: &(impl AgentReads + HistoryReads),
    name: &AgentName,
) -> Result<Option<Vec<Event>>, Error> {
    if tx.agent(name)?.is_none() {
        return Ok(None);
    }
    let events = tx.newest_events(&Subject::Agent(name.clone()), EVENTS)?;
    Ok(Some(events.into_iter().map(|(_, event)| event).collect()))
}

/// The agent with this name.
pub fn agent(
    tx: &(impl AgentReads + ClientReads + JobReads),
    name: &AgentName,
) -> Result<Option<AgentView>, Error> {
    tx.agent(name)?.map(|agent| view(tx, agent)).transpose()
}

/// All agents, in the order of their first appearance.
pub fn agents(
    tx: &(impl AgentReads + ClientReads + JobReads),
    after: Option<u64>,
    limit: usize,
) -> Result<Page<AgentView, u64>, Error> {
    let agents = tx.agents_after(after.unwrap_or(0), limit)?;
    let views = agents.into_iter().map(|agent| view(tx, agent)).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::of(views, limit, |last| last.agent.seq))
}
