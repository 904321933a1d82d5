//! How long jobs waited in each queue and how long they ran: the newest times, packed so that a claim or an end rewrites at
//! most one kilobyte.

use std::ops::ControlFlow;

use super::job;
use crate::domain::QueueName;
use crate::domain::wait::{KEPT, KEPT_RUNS};
use crate::store::engine::{Error, Rows, Table, Tail, WriteTx};

/// Times in one row.
const BLOCK: usize = 256;

/// Rows that may hold any of the newest `kept` times.
const fn blocks(kept: usize) -> u64 {
    (kept / BLOCK) as u64 + 2
}

/// Reading wait times and run times.
pub trait WaitReads {
    /// The newest waits of a queue in seconds, oldest first, at most `most` and [`KEPT`].
    fn waits(&self, queue: &QueueName, most: usize) -> Result<Vec<u32>, Error>;
    /// How long the queue's newest jobs ran, in seconds, oldest first, at most [`KEPT_RUNS`].
    fn runs(&self, queue: &QueueName) -> Result<Vec<u32>, Error>;
    /// The queues that have waits, by name.
    fn queues_with_waits(&self) -> Result<Vec<QueueName>, Error>;
}

impl<R: Rows> WaitReads for R {
    fn waits(&self, queue: &QueueName, most: usize) -> Result<Vec<u32>, Error> {
        newest(self, Table::Wait, queue, most.min(KEPT))
    }

    fn runs(&self, queue: &QueueName) -> Result<Vec<u32>, Error> {
        newest(self, Table::Run, queue, KEPT_RUNS)
    }

    fn queues_with_waits(&self) -> Result<Vec<QueueName>, Error> {
        let mut names = job::names(self, Table::Wait)?;
        names.sort_unstable();
        Ok(names.into_iter().map(QueueName::trusted).collect())
    }
}

/// The newest times of a queue, oldest first. Only the rows that hold them are read.
fn newest(
    rows: &impl Rows,
    table: Table,
    queue: &QueueName,
    most: usize,
) -> Result<Vec<u32>, Error> {
    let mut times = Vec::new();
    rows.scan_back(table, &queue.prefix(), &mut |_, value| {
        let (chunks, _) = value.as_chunks::<4>();
        times.extend(chunks.iter().rev().map(|bytes| u32::from_be_bytes(*bytes)));
        Ok(if times.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    times.truncate(most);
    times.reverse();
    Ok(times)
}

impl WriteTx<'_> {
    /// Adds a wait of `seconds`.
    pub fn append_wait(&mut self, queue: &QueueName, seconds: u32) -> Result<(), Error> {
        self.append_time(Table::Wait, blocks(KEPT), queue, seconds)
    }

    /// Adds a run of `seconds`.
    pub fn append_run(&mut self, queue: &QueueName, seconds: u32) -> Result<(), Error> {
        self.append_time(Table::Run, blocks(KEPT_RUNS), queue, seconds)
    }

    fn append_time(
        &mut self,
        table: Table,
        blocks: u64,
        queue: &QueueName,
        seconds: u32,
    ) -> Result<(), Error> {
        let prefix = queue.prefix();
        let (block, mut value) = match self.last(table, &prefix)? {
            None => (0, Vec::new()),
            Some((key, value)) => (Tail(&key).number(), value),
        };
        let block = if value.len() < BLOCK * 4 {
            block
        } else {
            value.clear();
            if let Some(oldest) = (block + 1).checked_sub(blocks) {
                self.remove(table, &prefix.clone().number(oldest))?;
            }
            block + 1
        };
        value.extend_from_slice(&seconds.to_be_bytes());
        self.put(table, &prefix.number(block), &value)
    }
}
