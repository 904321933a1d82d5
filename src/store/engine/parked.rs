//! Operations that wait: held requests for a job.
//!
//! They are served in the very transaction in which a job becomes claimable, so one commit submits and delivers, and no
//! wake-up can be lost: whoever looks and whoever parks is the same thread. Whoever no longer waits marks its operation
//! as unwanted, and the mark is looked at before a job is given to it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::operation::{Member, Operation, Ran, run};
use super::write::WriteTx;
use crate::domain::{QueueName, Timestamp};

/// Unwanted operations are looked for each time that so many were parked: requests end unserved all day long.
const FORGET_EVERY: usize = 1024;

/// The operations that wait, in the order in which they began to.
#[derive(Default)]
pub(crate) struct Parked {
    next: u64,
    since_forgotten: usize,
    operations: BTreeMap<u64, Box<dyn Operation>>,
    by_queue: HashMap<QueueName, BTreeSet<u64>>,
}

impl Parked {
    pub(crate) fn park(&mut self, operation: Box<dyn Operation>) {
        self.next += 1;
        self.since_forgotten += 1;
        for queue in operation.waits_for() {
            self.by_queue.entry(queue.clone()).or_default().insert(self.next);
        }
        self.operations.insert(self.next, operation);
    }

    pub(crate) fn take(&mut self, id: u64) -> Option<Box<dyn Operation>> {
        let operation = self.operations.remove(&id)?;
        for queue in operation.waits_for() {
            if let Some(ids) = self.by_queue.get_mut(queue) {
                ids.remove(&id);
                if ids.is_empty() {
                    self.by_queue.remove(queue);
                }
            }
        }
        Some(operation)
    }

    /// Drops the operations that nobody waits for any more, now and then.
    pub(crate) fn forget_unwanted(&mut self) {
        if self.since_forgotten < FORGET_EVERY {
            return;
        }
        self.since_forgotten = 0;
        let unwanted = self.operations.iter().filter(|(_, operation)| !operation.is_wanted());
        let unwanted: Vec<u64> = unwanted.map(|(id, _)| *id).collect();
        for id in unwanted {
            self.take(id);
        }
    }

    /// Offers each job that became claimable in this transaction to those that wait for its queue: the parked ones
    /// first, then those of the batch itself. Gives the parked ones that were served, which the caller takes out once
    /// the transaction is committed, or `None` when it must be aborted.
    pub(crate) fn serve(
        &mut self,
        batch: &mut [Member],
        tx: &mut WriteTx<'_>,
        now: Timestamp,
    ) -> Option<Vec<u64>> {
        let mut served = Vec::new();
        for queue in std::mem::take(&mut tx.effects.wake) {
            if let Some(id) = self.serve_parked(&queue, &served, tx, now)? {
                served.push(id);
                continue;
            }
            for member in batch.iter_mut().filter(|member| member.ran == Ran::Waits) {
                if member.operation.waits_for().contains(&queue) {
                    member.ran = run(&mut member.operation, tx, now)?;
                    if member.ran != Ran::Waits {
                        break;
                    }
                }
            }
        }
        Some(served)
    }

    /// Offers a job of a queue to the parked operations in turn and gives the one that took it.
    #[expect(
        clippy::option_option,
        reason = "the outer one says whether to go on, as everywhere here"
    )]
    fn serve_parked(
        &mut self,
        queue: &QueueName,
        served: &[u64],
        tx: &mut WriteTx<'_>,
        now: Timestamp,
    ) -> Option<Option<u64>> {
        let mut after = 0;
        // One look-up after the other: a copy of the list would cost every submission what all waiting cost together.
        while let Some(&id) = self.by_queue.get(queue).and_then(|ids| ids.range(after + 1..).next())
        {
            after = id;
            let Some(operation) = self.operations.get_mut(&id) else { continue };
            if !served.contains(&id)
                && operation.is_wanted()
                && run(operation, tx, now)? != Ran::Waits
            {
                return Some(Some(id));
            }
        }
        Some(None)
    }
}
