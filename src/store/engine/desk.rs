//! Who writes: one at a time, a thread of the writer's own or a caller.
//!
//! Handing an operation to another thread and its answer back wakes two threads, which takes longer than everything else
//! that a small write does except the disk. So a caller that finds nobody writing writes its own operation, if it may
//! ([`Where::Caller`]) and if hardly anybody else has written lately: callers that write by themselves are not there to
//! read the next requests, which then share no commit. The thread writes for everybody else, and begins checkpoints.
//!
//! Whoever gives the turn back rings for the thread if anything waits, so nothing is left in the queue.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Error;
use super::journal::INTERVAL;
use super::operation::{Member, Operation};
use super::writer::{Answers, Pen};

/// How many operations may share one commit.
const BATCH: usize = 1024;
/// How many operations may wait; more are refused as [`Error::Busy`].
const QUEUE: usize = 4096;
/// For so many turns after two operations have met, callers leave writing to the thread.
const COMPANY: u64 = 64;

/// On which thread an operation may run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// On the writer's: the caller must not wait for the disk, or the operation takes long.
    Writer,
    /// On the caller's, which then waits for the disk, or on the writer's.
    Caller,
}

/// The operations that wait, and whether somebody writes.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Box<dyn Operation>>,
    /// Nothing more is taken: the writer was stopped, or has failed.
    is_closed: bool,
    is_taken: bool,
    turns: u64,
    /// The turn from which callers may write by themselves.
    alone_from: u64,
    /// When the last turn ended, the journal had something that the database lacks.
    is_ahead: bool,
}

/// Where operations wait for whoever has the turn.
pub(super) struct Desk {
    queue: Mutex<Queue>,
    /// Rung when there is something for the thread.
    bell: Condvar,
    /// Gone when the thread has ended, so that the database can be closed.
    pen: Mutex<Option<Pen>>,
}

impl Desk {
    pub(super) fn new(pen: Pen) -> Self {
        Self { queue: Mutex::default(), bell: Condvar::new(), pen: Mutex::new(Some(pen)) }
    }

    pub(super) fn enqueue(&self, operation: Box<dyn Operation>, at: Where) {
        let mut queue = self.queue();
        if queue.is_closed || queue.waiting.len() >= QUEUE {
            let refused = if queue.is_closed { Error::Closed } else { Error::Busy };
            drop(queue);
            return operation.reply(Some(refused));
        }
        let in_company = queue.is_taken || !queue.waiting.is_empty();
        queue.waiting.push_back(operation);
        if in_company {
            queue.alone_from = queue.turns + COMPANY;
        } else if at == Where::Caller && queue.turns >= queue.alone_from {
            Turn::begin(self, queue).write();
        } else {
            drop(queue);
            self.bell.notify_one();
        }
    }

    /// Takes nothing more; the thread ends once everything that waits is written.
    pub(super) fn close(&self) {
        self.queue().is_closed = true;
        self.bell.notify_one();
    }

    /// The work of the writer's thread.
    pub(super) fn serve(&self) {
        while let Some(turn) = self.next() {
            turn.write();
        }
        self.pen().take();
    }

    /// Waits for something to do; `None` when the writer is closed and everything is done.
    fn next(&self) -> Option<Turn<'_>> {
        let mut queue = self.queue();
        loop {
            if !queue.is_taken {
                if !queue.waiting.is_empty() {
                    return Some(Turn::begin(self, queue));
                }
                if queue.is_closed {
                    return None;
                }
            }
            // Not for ever while the journal has something that the database lacks.
            if !queue.is_ahead {
                queue = self.bell.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let turns = queue.turns;
            let woken = self.bell.wait_timeout(queue, INTERVAL);
            let (again, wait) = woken.unwrap_or_else(PoisonError::into_inner);
            queue = again;
            // Whoever wrote meanwhile looked whether a checkpoint is due.
            if wait.timed_out() && queue.turns == turns && !queue.is_taken {
                return Some(Turn::begin(self, queue));
            }
        }
    }

    fn pen(&self) -> MutexGuard<'_, Option<Pen>> {
        self.pen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turn to write a batch, or to begin a checkpoint when there is none.
struct Turn<'d> {
    desk: &'d Desk,
    batch: Vec<Member>,
}

impl<'d> Turn<'d> {
    fn begin(desk: &'d Desk, mut queue: MutexGuard<'d, Queue>) -> Self {
        queue.is_taken = true;
        queue.turns += 1;
        let count = queue.waiting.len().min(BATCH);
        Self { desk, batch: queue.waiting.drain(..count).map(Member::new).collect() }
    }

    /// Takes the turn to its end, and answers only then: whoever is answered may write next. What comes after a failure is
    /// refused.
    fn write(self) {
        let mut done = Answers::new();
        let (is_well, is_ahead) = match &mut *self.desk.pen() {
            Some(pen) => (pen.write(self.batch, &mut done), pen.needs_checkpoint()),
            None => (false, false),
        };
        let mut queue = self.desk.queue();
        queue.is_taken = false;
        queue.is_closed |= !is_well;
        let refused = if is_well { VecDeque::new() } else { std::mem::take(&mut queue.waiting) };
        // The thread sleeps without a limit while there is nothing to make durable.
        let is_news = is_ahead && !queue.is_ahead;
        queue.is_ahead = is_ahead;
        if is_news || queue.is_closed || !queue.waiting.is_empty() {
            self.desk.bell.notify_one();
        }
        drop(queue);
        for operation in done {
            operation.reply(None);
        }
        for operation in refused {
            operation.reply(Some(Error::Closed));
        }
    }
}
