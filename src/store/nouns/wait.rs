//! How long jobs waited in each queue: the newest waits, packed so that a claim rewrites at most one kilobyte.

use std::ops::ControlFlow;

use super::job;
use crate::domain::QueueName;
use crate::domain::wait::KEPT;
use crate::store::engine::{Error, Rows, Table, Tail, WriteTx};

/// Waits in one row.
const BLOCK: usize = 256;
/// Rows that may hold any of the newest [`KEPT`] waits.
const BLOCKS: u64 = (KEPT / BLOCK) as u64 + 2;

/// Reading wait times.
pub trait WaitReads {
    /// The newest waits of a queue in seconds, oldest first, at most [`KEPT`].
    fn waits(&self, queue: &QueueName) -> Result<Vec<u32>, Error>;
    /// The queues that have waits, by name.
    fn queues_with_waits(&self) -> Result<Vec<QueueName>, Error>;
}

impl<R: Rows> WaitReads for R {
    fn waits(&self, queue: &QueueName) -> Result<Vec<u32>, Error> {
        let mut waits = Vec::new();
        self.scan_prefix(Table::Wait, &queue.prefix(), None, &mut |_, value| {
            let (chunks, _) = value.as_chunks::<4>();
            waits.extend(chunks.iter().map(|bytes| u32::from_be_bytes(*bytes)));
            Ok(ControlFlow::Continue(()))
        })?;
        waits.drain(..waits.len().saturating_sub(KEPT));
        Ok(waits)
    }

    fn queues_with_waits(&self) -> Result<Vec<QueueName>, Error> {
        let mut names = job::names(self, Table::Wait)?;
        names.sort_unstable();
        Ok(names.into_iter().map(QueueName::trusted).collect())
    }
}

impl WriteTx<'_> {
    /// Adds a wait of `seconds`.
    pub fn append_wait(&mut self, queue: &QueueName, seconds: u32) -> Result<(), Error> {
        let prefix = queue.prefix();
        let (block, mut value) = match self.last(Table::Wait, &prefix)? {
            None => (0, Vec::new()),
            Some((key, value)) => (Tail(&key).number(), value),
        };
        let block = if value.len() < BLOCK * 4 {
            block
        } else {
            value.clear();
            if let Some(oldest) = (block + 1).checked_sub(BLOCKS) {
                self.remove(Table::Wait, &prefix.clone().number(oldest))?;
            }
            block + 1
        };
        value.extend_from_slice(&seconds.to_be_bytes());
        self.put(Table::Wait, &prefix.number(block), &value)
    }
}
