//! What callers hand to the writer: an operation that runs in a transaction, and the answer to it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Error;
use super::write::WriteTx;
use crate::domain::{QueueName, Timestamp};

/// How a run of an operation ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ran {
    /// It has its answer.
    Done,
    /// It has an error for an answer.
    Failed,
    /// It found nothing, and would rather wait.
    Waits,
}

/// One operation in the queue.
pub(crate) trait Operation: Send {
    /// Runs within `tx`; may be called again in another transaction.
    fn run(&mut self, tx: &mut WriteTx<'_>, now: Timestamp) -> Ran;
    /// The queues in which it waits for a job; empty for one that never waits.
    fn waits_for(&self) -> &[QueueName];
    /// Whether anybody still waits for its answer.
    fn is_wanted(&self) -> bool;
    /// Gives the caller its answer; `lost` when what was done did not become durable.
    fn reply(self: Box<Self>, lost: Option<Error>);
}

/// An operation that is done when it has run.
pub(super) struct Pending<F, T, E, R> {
    run: F,
    outcome: Option<Result<T, E>>,
    reply: R,
}

impl<F, T, E, R> Pending<F, T, E, R> {
    pub(super) const fn new(run: F, reply: R) -> Self {
        Self { run, outcome: None, reply }
    }
}

impl<F, T, E, R> Operation for Pending<F, T, E, R>
where
    F: FnMut(&mut WriteTx<'_>, Timestamp) -> Result<T, E> + Send,
    T: Send,
    E: From<Error> + Send,
    R: FnOnce(Result<T, E>) + Send,
{
    fn run(&mut self, tx: &mut WriteTx<'_>, now: Timestamp) -> Ran {
        self.outcome = None;
        let outcome = (self.run)(tx, now);
        let ran = if outcome.is_ok() { Ran::Done } else { Ran::Failed };
        self.outcome = Some(outcome);
        ran
    }

    fn waits_for(&self) -> &[QueueName] {
        &[]
    }

    fn is_wanted(&self) -> bool {
        true
    }

    fn reply(self: Box<Self>, lost: Option<Error>) {
        let outcome = match (lost, self.outcome) {
            (None, Some(outcome)) => outcome,
            (Some(error), _) => Err(error.into()),
            (None, None) => Err(Error::Panicked.into()),
        };
        (self.reply)(outcome);
    }
}

/// What an operation that waits needs besides: where, and whether anybody still does.
pub struct HeldRequest {
    /// The queues.
    pub queues: Vec<QueueName>,
    /// Set to `false` by whoever waits, when it no longer does.
    pub wanted: Arc<AtomicBool>,
}

/// An operation that waits while its outcome is `None`.
pub(super) struct Waiting<F, T, E, R> {
    inner: Pending<F, Option<T>, E, R>,
    held: HeldRequest,
}

impl<F, T, E, R> Waiting<F, T, E, R> {
    pub(super) const fn new(run: F, reply: R, held: HeldRequest) -> Self {
        Self { inner: Pending::new(run, reply), held }
    }
}

impl<F, T, E, R> Operation for Waiting<F, T, E, R>
where
    F: FnMut(&mut WriteTx<'_>, Timestamp) -> Result<Option<T>, E> + Send,
    T: Send,
    E: From<Error> + Send,
    R: FnOnce(Result<Option<T>, E>) + Send,
{
    fn run(&mut self, tx: &mut WriteTx<'_>, now: Timestamp) -> Ran {
        let ran = self.inner.run(tx, now);
        if matches!(self.inner.outcome, Some(Ok(None))) { Ran::Waits } else { ran }
    }

    fn waits_for(&self) -> &[QueueName] {
        &self.held.queues
    }

    fn is_wanted(&self) -> bool {
        self.held.wanted.load(Ordering::Acquire)
    }

    fn reply(self: Box<Self>, lost: Option<Error>) {
        Box::new(self.inner).reply(lost);
    }
}

/// An operation of the batch under way, and how its last run ended.
pub(crate) struct Member {
    pub(crate) operation: Box<dyn Operation>,
    pub(crate) ran: Ran,
}

impl Member {
    pub(crate) fn new(operation: Box<dyn Operation>) -> Self {
        Self { operation, ran: Ran::Failed }
    }
}

/// Runs an operation; `None` when it failed after it had written, so that the transaction must be aborted.
pub(crate) fn run(
    operation: &mut Box<dyn Operation>,
    tx: &mut WriteTx<'_>,
    now: Timestamp,
) -> Option<Ran> {
    let before = tx.writes();
    let ran = catch_unwind(AssertUnwindSafe(|| operation.run(tx, now))).unwrap_or(Ran::Failed);
    (ran != Ran::Failed || tx.writes() == before).then_some(ran)
}
