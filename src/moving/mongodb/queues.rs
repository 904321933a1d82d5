//! `queues` with their images, and `queue_wait_times`.

use super::super::load::{kept, taken};
use super::{Document, Move, Stop};
use crate::domain::wait::KEPT;
use crate::domain::{Advertised, QueueName};
use crate::store::{QueueReads, WaitReads};

const QUEUES: &str = "queues";
const WAITS: &str = "queue_wait_times";

impl Move<'_> {
    pub(super) fn queue(&mut self, (_, fields): Document<'_>) -> Result<(), Stop> {
        let name: QueueName = fields.name("name")?;
        let images = fields.all_json()?.remove("images").filter(|json| json.starts_with('{'));
        if !self.is_first(QUEUES, name.as_str()) {
            return Ok(());
        }
        let now = self.now;
        let queue = Advertised {
            name: name.clone(),
            description: fields.text("description").unwrap_or_default(),
            updated_at: fields.moment("updated_at").at().map(|at| at.min(now)),
        };
        self.load.step((QUEUES, name.to_string()), fields.size(), move |tx| {
            let old = tx.advertised(&queue.name)?;
            if old.is_some_and(|old| old.updated_at > queue.updated_at) {
                return Ok(kept("they were advertised here since"));
            }
            tx.put_advertised(&queue)?;
            if let Some(images) = &images {
                tx.put_images(&queue.name, images)?;
            }
            Ok(taken())
        })?;
        Ok(())
    }

    pub(super) fn waits(&mut self, (_, fields): Document<'_>) -> Result<(), Stop> {
        let name: QueueName = fields.name("name")?;
        if !self.is_first(WAITS, name.as_str()) {
            return Ok(());
        }
        let waits = fields.ints("wait_times").unwrap_or_default();
        let from = waits.len().saturating_sub(KEPT);
        let seconds = |wait: &i64| u32::try_from((*wait).max(0)).unwrap_or(u32::MAX);
        let waits: Vec<u32> = waits[from..].iter().map(seconds).collect();
        self.load.step((WAITS, name.to_string()), fields.size(), move |tx| {
            let Some(new) = waits.strip_prefix(tx.waits(&name, KEPT)?.as_slice()) else {
                return Ok(kept("jobs have started here since"));
            };
            for wait in new {
                tx.append_wait(&name, *wait)?;
            }
            Ok(taken())
        })?;
        Ok(())
    }
}
