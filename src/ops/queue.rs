//! Agents advertise queues and images.

use std::collections::BTreeMap;

use super::Error;
use crate::domain::{QueueName, Timestamp};
use crate::store::{self, Advertised, AgentReads, QueueReads, WriteTx};

/// Advertises queues with their descriptions.
pub fn advertise(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    queues: &BTreeMap<QueueName, String>,
) -> Result<(), Error> {
    for (name, description) in queues {
        tx.put_advertised(&Advertised {
            name: name.clone(),
            description: description.clone(),
            updated_at: Some(now),
        })?;
    }
    Ok(())
}

/// Replaces the images of each named queue; a queue that nobody advertised appears with an empty description.
pub fn advertise_images(
    tx: &mut WriteTx<'_>,
    images: &BTreeMap<QueueName, String>,
) -> Result<(), Error> {
    for (name, images) in images {
        if tx.advertised(name)?.is_none() {
            tx.put_advertised(&Advertised {
                name: name.clone(),
                description: String::new(),
                updated_at: None,
            })?;
        }
        tx.put_images(name, images)?;
    }
    Ok(())
}

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
) -> Result<QueueKnown, store::Error> {
    if !tx.queue_agents_after(queue, 0, 1)?.is_empty() {
        Ok(QueueKnown::Served)
    } else if tx.advertised(queue)?.is_some() {
        Ok(QueueKnown::Advertised)
    } else {
        Ok(QueueKnown::Unknown)
    }
}
