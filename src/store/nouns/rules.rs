//! What an administrator has set for a queue or for the lab as a whole.

use crate::domain::QueueName;
use crate::store::engine::meta::meta;
use crate::store::engine::{ALL, Error, Rows, Table, Tail, WriteTx};

/// What the name of a queue stands behind.
const RETRIES: &str = "retries of ";

/// What can be read of rules.
pub trait RuleReads {
    /// How often a job of a queue goes to another agent when its provisioning fails, if the job does not say so itself.
    fn retries_of(&self, queue: &QueueName) -> Result<u32, Error>;
    /// The queues for which that was set, by name.
    fn queues_with_retries(&self) -> Result<Vec<(QueueName, u32)>, Error>;
}

impl<R: Rows> RuleReads for R {
    fn retries_of(&self, queue: &QueueName) -> Result<u32, Error> {
        let value = self.get(Table::Meta, &meta(&format!("{RETRIES}{queue}")))?;
        Ok(value.as_deref().map_or(0, retries))
    }

    fn queues_with_retries(&self) -> Result<Vec<(QueueName, u32)>, Error> {
        self.list(Table::Meta, &meta(RETRIES), ALL, |key, value| {
            let name = key.get(RETRIES.len()..).unwrap_or_default();
            Ok((QueueName::stored(name)?, retries(value)))
        })
    }
}

fn retries(value: &[u8]) -> u32 {
    u32::try_from(Tail(value).number()).unwrap_or(u32::MAX)
}

impl WriteTx<'_> {
    /// Sets how often jobs of a queue that do not say so go to another agent; 0 is the same as not to set it.
    pub fn set_retries_of(&mut self, queue: &QueueName, retries: u32) -> Result<(), Error> {
        let key = meta(&format!("{RETRIES}{queue}"));
        if retries == 0 {
            return self.remove(Table::Meta, &key).map(drop);
        }
        self.put(Table::Meta, &key, &u64::from(retries).to_be_bytes())
    }
}
