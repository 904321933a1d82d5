//! The one thread that writes, with group commit.
//!
//! A request hands over an operation and waits for its reply. The thread takes whatever is waiting, runs it in one
//! transaction, commits once (to the journal first) and only then replies to all: a reply means *on disk*. There is no
//! lingering for more company: while one commit is under way the next batch gathers by itself.
//!
//! Hazards: an operation that fails after it has written would leave half of itself in the batch, so the batch is
//! aborted and its members run again one by one (an operation must therefore be repeatable: `FnMut`). After a failed
//! `commit()` nobody knows what the disk holds, so every member is told so and the process ends; the next start reads
//! what is really there.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use super::Error;
use super::database::Database;
use super::journal::INTERVAL;
use super::observer::{Committed, Observed};
use super::operation::{HeldRequest, Member, Operation, Pending, Ran, Waiting, run};
use super::parked::Parked;
use super::write::WriteTx;
use crate::domain::{BlobName, Clock, Timestamp};

/// How many operations may share one commit.
const BATCH: usize = 1024;
/// How many operations may wait; more are refused as [`Error::Busy`].
const QUEUE: usize = 4096;

/// Removes the file of a blob that no row names any more.
pub(crate) type Unlink = Box<dyn Fn(BlobName) + Send>;
/// What to do when a commit has failed; ends the process in production.
pub type OnFatal = Box<dyn Fn(&Error) + Send>;

/// The writer's queue and thread.
pub(crate) struct Writer {
    queue: Mutex<Option<SyncSender<Box<dyn Operation>>>>,
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
        let (sender, receiver) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new().name("writer".to_owned()).spawn(move || {
            Thread { db, unlink, clock, on_fatal, observed, parked: Parked::default() }
                .serve(&receiver);
        })?;
        Ok(Self { queue: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)) })
    }

    /// Puts an operation into the queue; `reply` is called from the writer's thread, or at once when it cannot be taken.
    pub(crate) fn submit<T, E>(
        &self,
        run: impl FnMut(&mut WriteTx<'_>, Timestamp) -> Result<T, E> + Send + 'static,
        reply: impl FnOnce(Result<T, E>) + Send + 'static,
    ) where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.enqueue(Box::new(Pending::new(run, reply)));
    }

    /// The same for an operation that waits until it finds something. It is run again in the transaction in which a job
    /// became claimable in one of its queues; those that wait longest are asked first.
    pub(crate) fn submit_waiting<T, E>(
        &self,
        run: impl FnMut(&mut WriteTx<'_>, Timestamp) -> Result<Option<T>, E> + Send + 'static,
        held: HeldRequest,
        reply: impl FnOnce(Result<Option<T>, E>) + Send + 'static,
    ) where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.enqueue(Box::new(Waiting::new(run, reply, held)));
    }

    fn enqueue(&self, operation: Box<dyn Operation>) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match queue {
            None => operation.reply(Some(Error::Closed)),
            Some(queue) => match queue.try_send(operation) {
                Ok(()) => {}
                Err(TrySendError::Full(operation)) => operation.reply(Some(Error::Busy)),
                Err(TrySendError::Disconnected(operation)) => operation.reply(Some(Error::Closed)),
            },
        }
    }

    /// Refuses new operations, finishes those that wait, and ends the thread.
    pub(crate) fn stop(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the writer thread panicked");
        }
    }
}

struct Thread {
    db: Arc<Database>,
    unlink: Unlink,
    clock: Arc<dyn Clock>,
    on_fatal: OnFatal,
    observed: Observed,
    parked: Parked,
}

impl Thread {
    fn serve(mut self, queue: &Receiver<Box<dyn Operation>>) {
        loop {
            let done = match self.next(queue) {
                Ok(first) => {
                    let mut batch = vec![Member::new(first)];
                    batch.extend(queue.try_iter().take(BATCH - 1).map(Member::new));
                    self.commit(batch)
                }
                Err(RecvTimeoutError::Timeout) => self.db.checkpoint(),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if let Err(error) = done {
                (self.on_fatal)(&error);
                return;
            }
            self.parked.forget_unwanted();
        }
    }

    /// Waits for an operation, but not for ever while the journal has something that the database lacks.
    fn next(
        &self,
        queue: &Receiver<Box<dyn Operation>>,
    ) -> Result<Box<dyn Operation>, RecvTimeoutError> {
        if self.db.needs_checkpoint() {
            return queue.recv_timeout(INTERVAL);
        }
        queue.recv().map_err(|_| RecvTimeoutError::Disconnected)
    }

    /// Makes a batch durable and answers it, or fails for good.
    fn commit(&mut self, mut batch: Vec<Member>) -> Result<(), Error> {
        match self.attempt(&mut batch) {
            Ok(Some(served)) => self.answer(batch, served),
            Ok(None) => {
                for member in batch {
                    let mut alone = vec![member];
                    match self.attempt(&mut alone) {
                        // Aborted again: its error stands as its answer, and nothing of it is left.
                        Ok(served) => self.answer(alone, served.unwrap_or_default()),
                        Err(error) => return Err(fail(alone, error)),
                    }
                }
            }
            Err(error) => return Err(fail(batch, error)),
        }
        Ok(())
    }

    /// Answers what is done, and parks what waits.
    fn answer(&mut self, batch: Vec<Member>, served: Vec<u64>) {
        for id in served {
            if let Some(operation) = self.parked.take(id) {
                operation.reply(None);
            }
        }
        for Member { operation, ran } in batch {
            match ran {
                Ran::Waits => self.parked.park(operation),
                Ran::Done | Ran::Failed => operation.reply(None),
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
