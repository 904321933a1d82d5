//! What can be seen of queues.

use super::super::Error;
use super::Page;
use crate::domain::wait::{KEPT, PERCENTILES, Percentile, percentile};
use crate::domain::{Advertised, Agent, ClientId, QueueName};
use crate::store::{AgentReads, ClientReads, QueueReads, WaitReads};

/// What is known of a queue's agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueKnown {
    /// Agents serve it.
    Served,
    /// It was advertised, but no agent serves it.
    Advertised,
    /// Nobody knows it.
    Unknown,
}

/// What is known of a queue's agents.
pub fn queue_known(
    tx: &(impl AgentReads + QueueReads),
    queue: &QueueName,
) -> Result<QueueKnown, Error> {
    if !tx.queue_agents_after(queue, 0, 1)?.is_empty() {
        Ok(QueueKnown::Served)
    } else if tx.advertised(queue)?.is_some() {
        Ok(QueueKnown::Advertised)
    } else {
        Ok(QueueKnown::Unknown)
    }
}

/// The agents that serve a queue, in the order of their first appearance.
pub fn queue_agents(
    tx: &impl AgentReads,
    queue: &QueueName,
    after: Option<u64>,
    limit: usize,
) -> Result<Page<Agent, u64>, Error> {
    let agents = tx.queue_agents_after(queue, after.unwrap_or(0), limit)?;
    Ok(Page::of(agents, limit, |last| last.seq))
}

/// The queues that agents advertise, by name.
pub fn advertised_queues(
    tx: &impl QueueReads,
    after: Option<&QueueName>,
    limit: usize,
) -> Result<Page<Advertised, QueueName>, Error> {
    let queues = tx.advertised_after(after, limit)?;
    Ok(Page::of(queues, limit, |last| last.name.clone()))
}

/// The images of a queue: a JSON object of names and provision data.
pub fn images(tx: &impl QueueReads, queue: &QueueName) -> Result<Option<String>, Error> {
    Ok(tx.images(queue)?)
}

/// The restricted queues and their owners, by name.
pub fn restricted_queues(
    tx: &impl ClientReads,
    after: Option<&QueueName>,
    limit: usize,
) -> Result<Page<(QueueName, Vec<ClientId>), QueueName>, Error> {
    let mut queues = Vec::new();
    for queue in tx.restricted_after(after, limit)? {
        let owners = tx.owners(&queue)?;
        queues.push((queue, owners));
    }
    Ok(Page::of(queues, limit, |(last, _)| last.clone()))
}

/// The owners of a restricted queue.
///
/// # Errors
/// [`Error::NotRestricted`].
pub fn restricted_queue(tx: &impl ClientReads, queue: &QueueName) -> Result<Vec<ClientId>, Error> {
    if tx.is_restricted(queue)? { Ok(tx.owners(queue)?) } else { Err(Error::NotRestricted) }
}

/// A queue and the percentiles of how long its jobs waited, in the order of [`PERCENTILES`].
pub type WaitTimes = (QueueName, [Percentile; PERCENTILES.len()]);

/// How long jobs waited in these queues, or in all when none is named; queues without a wait are left out.
pub fn wait_times(
    tx: &impl WaitReads,
    mut queues: Vec<QueueName>,
) -> Result<Vec<WaitTimes>, Error> {
    if queues.is_empty() {
        queues = tx.queues_with_waits()?;
    }
    queues.sort_unstable();
    queues.dedup();
    let mut found = Vec::new();
    for queue in queues {
        let mut waits = tx.waits(&queue, KEPT)?;
        waits.sort_unstable();
        if let [Some(a), Some(b), Some(c), Some(d), Some(e)] =
            PERCENTILES.map(|percent| percentile(&waits, percent))
        {
            found.push((queue, [a, b, c, d, e]));
        }
    }
    Ok(found)
}
