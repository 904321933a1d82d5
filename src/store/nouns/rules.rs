//! What an administrator has set for a queue or for the lab as a whole.

use crate::domain::{QueueName, Timestamp};
use crate::store::engine::meta::meta;
use crate::store::engine::{ALL, Error, Rows, Table, Tail, WriteTx};

/// What the name of a queue stands behind.
const RETRIES: &str = "retries of ";
/// Since when no job is handed out, microseconds; absent while jobs are.
const DRAINED: &str = "drained";

/// What can be read of rules.
pub trait RuleReads {
    /// How often a job of a queue goes to another agent when its provisioning fails, if the job does not say so itself.
    fn retries_of(&self, queue: &QueueName) -> Result<u32, Error>;
    /// The queues for which that was set, by name.
    fn queues_with_retries(&self) -> Result<Vec<(QueueName, u32)>, Error>;
    /// Since when the server is drained, if it is: it hands out no jobs.
    fn drained_since(&self) -> Result<Option<Timestamp>, Error>;
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

    fn drained_since(&self) -> Result<Option<Timestamp>, Error> {
        let value = self.get(Table::Meta, &meta(DRAINED))?;
        Ok(value.map(|value| Timestamp::from_micros(Tail(&value).number().cast_signed())))
    }
}

fn retries(value: &[u8]) -> u32 {
    u32::try_from(Tail(value).number()).unwrap_or(u32::MAX)
}

impl WriteTx<'_> {
    /// Drains the server from then on, or hands out jobs again.
    pub fn set_drained(&mut self, since: Option<Timestamp>) -> Result<(), Error> {
        match since {
            None => self.remove(Table::Meta, &meta(DRAINED)).map(drop),
            Some(at) => self.put(Table::Meta, &meta(DRAINED), &at.as_micros().to_be_bytes()),
        }
    }

    /// Sets how often jobs of a queue that do not say so go to another agent; 0 is the same as not to set it.
    pub fn set_retries_of(&mut self, queue: &QueueName, retries: u32) -> Result<(), Error> {
        let key = meta(&format!("{RETRIES}{queue}"));
        if retries == 0 {
            return self.remove(Table::Meta, &key).map(drop);
        }
        self.put(Table::Meta, &key, &u64::from(retries).to_be_bytes())
    }
}
