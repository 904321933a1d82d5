//! Agents advertise queues and images.

use std::collections::BTreeMap;

use super::Error;
use crate::domain::{Advertised, QueueName, Timestamp};
use crate::store::{QueueReads, WriteTx};

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
