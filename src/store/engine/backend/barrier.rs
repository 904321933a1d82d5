//! Lets the writer go on while a checkpoint goes to the disk.
//!
//! A durable commit of the database writes its pages, syncs them, writes which of its two roots counts, and syncs that.
//! Between [`Barrier::defer`] and [`Barrier::no_longer_defer`] all that begins with the first sync is left to a thread, in
//! the same order. Until it has succeeded nothing else is written to the file, because every later write, every change of
//! the length and every other sync waits for it first. The file therefore goes through the same states as without the
//! thread, and a crash finds one of them: only the program goes on sooner.
//!
//! It also remembers what went wrong first: after a failure the database only says that there was one.
//!
//! Hazard: the database takes a commit for durable whose sync is still deferred. Whoever lets something go that a
//! checkpoint has must call [`Barrier::settle`] before. And a reader may make room in memory by writing a page while a
//! commit is under way, and read it back: whoever reads what is still to be written waits for it.

use std::io;
use std::ops::{Bound, Range};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use redb::{BackendError, StorageBackend};

/// When a deferred sync is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// At once, by a thread.
    AtOnce,
    /// As late as the barrier allows, so that a simulated power cut finds the most that may be missing, and the same each
    /// time.
    AtLast,
}

/// A file whose syncs may be deferred.
#[derive(Clone, Debug)]
pub(super) struct Barrier(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    file: Arc<dyn StorageBackend>,
    when: When,
    is_deferring: AtomicBool,
    sync: Mutex<Sync>,
    /// Where something is still to be written.
    late: Mutex<Vec<Range<u64>>>,
    failure: OnceLock<Failure>,
    took: Mutex<Option<Duration>>,
}

/// What the disk said, in parts that can be copied.
type Failure = (io::ErrorKind, Option<i32>);

/// What is left for later, in order. The first step is a sync.
type Steps = Vec<Step>;

#[derive(Debug)]
enum Step {
    Sync,
    Write(u64, Vec<u8>),
}

impl Step {
    fn all(steps: &[Self], file: &dyn StorageBackend) -> io::Result<()> {
        steps.iter().try_for_each(|step| match step {
            Self::Sync => file.sync_data(),
            Self::Write(offset, data) => file.write(*offset, data),
        })
    }
}

/// What was deferred last.
#[derive(Debug)]
enum Sync {
    Done,
    /// The commit that is deferred has not ended yet.
    Gathering(Steps),
    Owed(Arc<Steps>),
    UnderWay(JoinHandle<io::Result<Duration>>),
    /// Nobody knows what the file holds. A later sync may succeed all the same, so it must not be tried.
    Failed,
}

impl Barrier {
    pub(super) fn new(file: impl StorageBackend, when: When) -> Self {
        Self(Arc::new(Shared {
            file: Arc::new(file),
            when,
            is_deferring: AtomicBool::new(false),
            sync: Mutex::new(Sync::Done),
            late: Mutex::default(),
            failure: OnceLock::new(),
            took: Mutex::new(None),
        }))
    }

    /// Defers the next sync and all that follows it.
    pub(super) fn defer(&self) {
        self.0.is_deferring.store(true, Ordering::Release);
    }

    /// Begins with what was deferred. What comes now is done when it is asked for, as it is at first.
    pub(super) fn no_longer_defer(&self) {
        self.0.is_deferring.store(false, Ordering::Release);
        let mut sync = self.lock();
        *sync = match std::mem::replace(&mut *sync, Sync::Failed) {
            Sync::Gathering(steps) => self.begin(Arc::new(steps)),
            other => other,
        };
    }

    /// Waits until everything that was synced is durable.
    ///
    /// # Errors
    /// What the disk says.
    pub(super) fn settle(&self) -> io::Result<()> {
        self.settled().map(|_| ())
    }

    /// Whether a sync was deferred of which nobody has been told how it ended.
    pub(super) fn is_unsettled(&self) -> bool {
        !matches!(*self.lock(), Sync::Done)
    }

    /// What the disk said when it refused something for the first time.
    pub(super) fn failure(&self) -> Option<io::Error> {
        let (kind, code) = self.0.failure.get()?;
        Some(code.map_or_else(|| (*kind).into(), io::Error::from_raw_os_error))
    }

    /// How long the sync took that was deferred last, told once.
    pub(super) fn took(&self) -> Option<Duration> {
        self.0.took.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn noted<T>(&self, done: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &done {
            self.0.failure.get_or_init(|| (error.kind(), error.raw_os_error()));
        }
        done
    }

    fn lock(&self) -> MutexGuard<'_, Sync> {
        self.0.sync.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settled(&self) -> io::Result<MutexGuard<'_, Sync>> {
        let mut sync = self.lock();
        let done = match std::mem::replace(&mut *sync, Sync::Failed) {
            Sync::Done => Ok(()),
            Sync::Gathering(steps) => Step::all(&steps, &*self.0.file),
            Sync::Owed(steps) => Step::all(&steps, &*self.0.file),
            Sync::UnderWay(thread) => {
                let done =
                    thread.join().unwrap_or_else(|_| Err(io::Error::other("a sync panicked")));
                done.map(|took| {
                    *self.0.took.lock().unwrap_or_else(PoisonError::into_inner) = Some(took);
                })
            }
            Sync::Failed => {
                Err(self.failure().unwrap_or_else(|| io::Error::other("a sync has failed before")))
            }
        };
        self.noted(done)?;
        self.late().clear();
        *sync = Sync::Done;
        Ok(sync)
    }

    fn begin(&self, steps: Arc<Steps>) -> Sync {
        if self.0.when == When::AtLast {
            return Sync::Owed(steps);
        }
        let (file, all) = (Arc::clone(&self.0.file), Arc::clone(&steps));
        let thread = std::thread::Builder::new().name("checkpoint".to_owned());
        let run = move || {
            let begun = Instant::now();
            Step::all(&all, &*file).map(|()| begun.elapsed())
        };
        thread.spawn(run).map_or(Sync::Owed(steps), Sync::UnderWay)
    }

    fn late(&self) -> MutexGuard<'_, Vec<Range<u64>>> {
        self.0.late.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StorageBackend for Barrier {
    fn len(&self) -> io::Result<u64> {
        self.noted(self.0.file.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let end = offset + out.len() as u64;
        let is_late = self.late().iter().any(|late| late.start < end && offset < late.end);
        if is_late {
            self.settle()?;
        }
        self.noted(self.0.file.read(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let _settled = self.settled()?;
        self.noted(self.0.file.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        if let Sync::Gathering(steps) = &mut *self.lock() {
            steps.push(Step::Sync);
            return Ok(());
        }
        let mut settled = self.settled()?;
        if self.0.is_deferring.load(Ordering::Acquire) {
            *settled = Sync::Gathering(vec![Step::Sync]);
            return Ok(());
        }
        let done = self.noted(self.0.file.sync_data());
        if done.is_err() {
            *settled = Sync::Failed;
        }
        done
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if let Sync::Gathering(steps) = &mut *self.lock() {
            self.late().push(offset..offset + data.len() as u64);
            steps.push(Step::Write(offset, data.to_vec()));
            return Ok(());
        }
        let _settled = self.settled()?;
        self.noted(self.0.file.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        let settled = self.settle();
        self.0.file.close()?;
        settled
    }

    fn try_lock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<bool, BackendError> {
        self.0.file.try_lock_range(from, to)
    }

    fn try_lock_shared_range(
        &self,
        from: Bound<u64>,
        to: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.0.file.try_lock_shared_range(from, to)
    }

    fn lock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<(), BackendError> {
        self.0.file.lock_range(from, to)
    }

    fn lock_shared_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<(), BackendError> {
        self.0.file.lock_shared_range(from, to)
    }

    fn unlock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<(), BackendError> {
        self.0.file.unlock_range(from, to)
    }

    fn query_lock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<bool, BackendError> {
        self.0.file.query_lock_range(from, to)
    }
}

#[cfg(test)]
mod tests;
