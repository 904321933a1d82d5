//! The one thread that writes, with group commit.
//!
//! A request hands over an operation and waits for its reply. The thread takes whatever is waiting, runs it in one
//! transaction, commits once and only then replies to all: a reply means *on disk*. There is no lingering for more
//! company: while one commit is under way the next batch gathers by itself.
//!
//! Hazards: an operation that fails after it has written would leave half of itself in the batch, so the batch is
//! aborted and its members run again one by one (an operation must therefore be repeatable: `FnMut`). After a failed
//! `commit()` nobody knows what the disk holds, so every member is told so and the process ends; the next start reads
//! what is really there.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use redb::Database;

use super::Error;
use super::blob::{BlobDir, BlobName};
use super::rows::WriteTx;
use crate::domain::{Clock, Timestamp};

/// How many operations may share one commit.
const BATCH: usize = 1024;
/// How many operations may wait; more are refused as [`Error::Busy`].
const QUEUE: usize = 4096;

/// What must happen once the batch is on disk.
#[derive(Default)]
pub(super) struct Effects {
    /// Files that no row names any more.
    pub(super) unlink: Vec<BlobName>,
}

/// What to do when a commit has failed; ends the process in production.
pub type OnFatal = Box<dyn Fn(&Error) + Send>;

/// One operation in the queue.
trait Operation: Send {
    /// Runs within `tx` and says whether it succeeded; may be called again in another transaction.
    fn run(&mut self, tx: &mut WriteTx<'_>, now: Timestamp) -> bool;
    /// Gives the caller its answer; `lost` when what was done did not become durable.
    fn reply(self: Box<Self>, lost: Option<Error>);
}

struct Pending<F, T, E, R> {
    run: F,
    outcome: Option<Result<T, E>>,
    reply: R,
}

impl<F, T, E, R> Operation for Pending<F, T, E, R>
where
    F: FnMut(&mut WriteTx<'_>, Timestamp) -> Result<T, E> + Send,
    T: Send,
    E: From<Error> + Send,
    R: FnOnce(Result<T, E>) + Send,
{
    fn run(&mut self, tx: &mut WriteTx<'_>, now: Timestamp) -> bool {
        self.outcome = None;
        let outcome = (self.run)(tx, now);
        let succeeded = outcome.is_ok();
        self.outcome = Some(outcome);
        succeeded
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

/// The writer's queue and thread.
pub(super) struct Writer {
    queue: Mutex<Option<SyncSender<Box<dyn Operation>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(super) fn start(
        db: Arc<Database>,
        blobs: BlobDir,
        clock: Arc<dyn Clock>,
        on_fatal: OnFatal,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new().name("writer".to_owned()).spawn(move || {
            Thread { db, blobs, clock, on_fatal }.serve(&receiver);
        })?;
        Ok(Self { queue: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)) })
    }

    /// Puts an operation into the queue; `reply` is called from the writer's thread, or at once when it cannot be taken.
    pub(super) fn submit<T, E>(
        &self,
        run: impl FnMut(&mut WriteTx<'_>, Timestamp) -> Result<T, E> + Send + 'static,
        reply: impl FnOnce(Result<T, E>) + Send + 'static,
    ) where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let operation = Box::new(Pending { run, outcome: None, reply });
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
    pub(super) fn stop(&self) {
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
    blobs: BlobDir,
    clock: Arc<dyn Clock>,
    on_fatal: OnFatal,
}

impl Thread {
    fn serve(&self, queue: &Receiver<Box<dyn Operation>>) {
        while let Ok(first) = queue.recv() {
            let mut batch = vec![first];
            batch.extend(queue.try_iter().take(BATCH - 1));
            if let Err(error) = self.commit(&mut batch) {
                tracing::error!(%error, "the database cannot be written; stopping");
                for operation in batch {
                    operation.reply(Some(Error::Lost));
                }
                (self.on_fatal)(&error);
                return;
            }
            for operation in batch {
                operation.reply(None);
            }
        }
    }

    /// Makes the batch durable, or fails for good.
    fn commit(&self, batch: &mut [Box<dyn Operation>]) -> Result<(), Error> {
        if self.attempt(batch)? == Attempt::Aborted {
            for alone in batch {
                // Aborted again: its error stands as its answer, and nothing of it is left.
                self.attempt(std::slice::from_mut(alone))?;
            }
        }
        Ok(())
    }

    fn attempt(&self, batch: &mut [Box<dyn Operation>]) -> Result<Attempt, Error> {
        let txn = self.db.begin_write()?;
        let now = self.clock.now();
        let mut tx = WriteTx::new(&txn);
        for operation in batch {
            let before = tx.writes();
            let succeeded =
                catch_unwind(AssertUnwindSafe(|| operation.run(&mut tx, now))).unwrap_or(false);
            if !succeeded && tx.writes() > before {
                drop(tx);
                txn.abort()?;
                return Ok(Attempt::Aborted);
            }
        }
        let (wrote, effects) = (tx.writes() > 0, std::mem::take(&mut tx.effects));
        drop(tx);
        if wrote {
            txn.commit()?;
        } else {
            txn.abort()?;
        }
        for name in effects.unlink {
            self.blobs.unlink(&name);
        }
        Ok(Attempt::Committed)
    }
}

#[derive(PartialEq, Eq)]
enum Attempt {
    Committed,
    Aborted,
}
