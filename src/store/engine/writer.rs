//! The writer, with group commit.
//!
//! A request hands over an operation and waits for its reply. Whoever has the turn takes all that waits ([`super::desk`]),
//! runs it in one transaction, commits once (to the journal first) and only then replies to all: a reply means *on
//! disk*. There is no lingering for more company: while one commit is under way the next batch gathers by itself.
//!
//! Hazards: an operation that fails after it has written would leave half of itself in the batch, so the batch is
//! aborted and its members run again one by one (an operation must therefore be repeatable: `FnMut`). After a failed
//! `commit()` nobody knows what the disk holds, so every member is told so and the process ends; the next start reads
//! what is really there.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use super::Error;
use super::database::Database;
use super::desk::{Desk, Where};
use super::observer::{Committed, Observed};
use super::operation::{HeldRequest, Member, Operation, Pending, Ran, Waiting, run};
use super::parked::Parked;
use super::write::WriteTx;
use crate::domain::{BlobName, Clock, Timestamp};

/// Removes the file of a blob that no row names any more.
pub(crate) type Unlink = Box<dyn Fn(BlobName) + Send>;
/// What to do when a commit has failed; ends the process in production.
pub type OnFatal = Box<dyn Fn(&Error) + Send>;

/// Operations that are on disk, or have failed, and are to be answered.
pub(super) type Answers = Vec<Box<dyn Operation>>;

/// Writes batches, one after the other.
pub(crate) struct Writer {
    desk: Arc<Desk>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(crate) fn start(
        db: Arc<Database>,
        unlink: Unlink,
        clock: Arc<dyn Clock>,
        on_fatal: OnFatal,
        observed: Observed,
    ) -> std::io::Result<Self> {
        let pen = Pen { db, unlink, clock, on_fatal, observed, parked: Parked::default() };
        let desk = Arc::new(Desk::new(pen));
        let at = Arc::clone(&desk);
        let thread = std::thread::Builder::new().name("writer".to_owned());
        let thread = thread.spawn(move || at.serve())?;
        Ok(Self { desk, thread: Mutex::new(Some(thread)) })
    }

    /// Puts an operation into the queue; `reply` is called from the thread that writes, or at once when it cannot be
    /// taken.
    pub(crate) fn submit<T, E>(
        &self,
        at: Where,
        run: impl FnMut(&mut WriteTx<'_>, Timestamp) -> Result<T, E> + Send + 'static,
        reply: impl FnOnce(Result<T, E>) + Send + 'static,
    ) where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.desk.enqueue(Box::new(Pending::new(run, reply)), at);
    }

    /// The same for an operation that waits until it finds something. It is run again in the transaction in which a job
    /// became claimable in one of its queues; those that wait longest are asked first.
    pub(crate) fn submit_waiting<T, E>(
        &self,
        at: Where,
        run: impl FnMut(&mut WriteTx<'_>, Timestamp) -> Result<Option<T>, E> + Send + 'static,
        held: HeldRequest,
        reply: impl FnOnce(Result<Option<T>, E>) + Send + 'static,
    ) where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.desk.enqueue(Box::new(Waiting::new(run, reply, held)), at);
    }

    /// Refuses new operations, finishes those that wait, and ends the thread.
    pub(crate) fn stop(&self) {
        self.desk.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the writer thread panicked");
        }
    }
}

/// What whoever has the turn writes with.
pub(super) struct Pen {
    db: Arc<Database>,
    unlink: Unlink,
    clock: Arc<dyn Clock>,
    on_fatal: OnFatal,
    observed: Observed,
    parked: Parked,
}

impl Pen {
    /// Writes a batch; without one, makes durable in the database what the journal has. `done` gets the operations that are
    /// to be answered. Says whether anything more may be written: not after a failure.
    pub(super) fn write(&mut self, batch: Vec<Member>, done: &mut Answers) -> bool {
        let run = || if batch.is_empty() { self.db.checkpoint() } else { self.commit(batch, done) };
        // Some damage makes redb panic.
        let outcome = catch_unwind(AssertUnwindSafe(run)).unwrap_or(Err(Error::Panicked));
        if let Err(error) = &outcome {
            (self.on_fatal)(error);
        }
        self.parked.forget_unwanted();
        outcome.is_ok()
    }

    /// Whether the journal has something that the database lacks.
    pub(super) fn needs_checkpoint(&self) -> bool {
        self.db.needs_checkpoint()
    }

    /// Makes a batch durable, or fails for good.
    fn commit(&mut self, mut batch: Vec<Member>, done: &mut Answers) -> Result<(), Error> {
        match self.attempt(&mut batch) {
            Ok(Some(served)) => self.sort(batch, served, done),
            Ok(None) => {
                for member in batch {
                    let mut alone = vec![member];
                    match self.attempt(&mut alone) {
                        // Aborted again: its error stands as its answer, and nothing of it is left.
                        Ok(served) => self.sort(alone, served.unwrap_or_default(), done),
                        Err(error) => return Err(fail(alone, error)),
                    }
                }
            }
            Err(error) => return Err(fail(batch, error)),
        }
        Ok(())
    }

    /// Parks what waits, and gives what is to be answered.
    fn sort(&mut self, batch: Vec<Member>, served: Vec<u64>, done: &mut Answers) {
        done.extend(served.into_iter().filter_map(|id| self.parked.take(id)));
        for Member { operation, ran } in batch {
            match ran {
                Ran::Waits => self.parked.park(operation),
                Ran::Done | Ran::Failed => done.push(operation),
            }
        }
    }

    /// Runs a batch in one transaction and commits it. Gives the parked operations that were served, or `None` when the
    /// transaction had to be aborted.
    fn attempt(&mut self, batch: &mut [Member]) -> Result<Option<Vec<u64>>, Error> {
        let txn = self.db.begin()?;
        let now = self.clock.now();
        let mut tx = txn.rows();
        let Some(served) = run_all(batch, &mut self.parked, &mut tx, now) else {
            drop(tx);
            txn.abort()?;
            return Ok(None);
        };
        let wrote = tx.writes() > 0;
        let (changes, effects) = tx.done();
        if wrote {
            let begun = Instant::now();
            let journal_bytes = txn.commit_batch(changes, now)?;
            if let Some(observer) = self.observed.get() {
                observer.committed(&Committed {
                    operations: batch.len(),
                    took: begun.elapsed(),
                    journal_bytes,
                    checkpoint: self.db.checkpoint_took(),
                    jobs: &effects.jobs,
                    blob_bytes: effects.blob_bytes,
                    news: &effects.news,
                });
            }
        } else {
            txn.abort()?;
        }
        for name in effects.unlink {
            (self.unlink)(name);
        }
        Ok(Some(served))
    }
}

fn run_all(
    batch: &mut [Member],
    parked: &mut Parked,
    tx: &mut WriteTx<'_>,
    now: Timestamp,
) -> Option<Vec<u64>> {
    for member in &mut *batch {
        member.ran = run(&mut member.operation, tx, now)?;
    }
    parked.serve(batch, tx, now)
}

fn fail(batch: Vec<Member>, error: Error) -> Error {
    tracing::error!(%error, "the database cannot be written; stopping");
    for member in batch {
        member.operation.reply(Some(Error::Lost));
    }
    error
}
