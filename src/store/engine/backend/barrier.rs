//! Lets the writer go on while a checkpoint goes to the disk.
//!
//! A durable commit of the database writes its pages and then waits for one sync. Between [`Barrier::defer`] and
//! [`Barrier::no_longer_defer`] that sync is left to a thread. Until it has succeeded nothing else is written to the file,
//! because every write, every change of the length and every other sync waits for it first. The file therefore goes
//! through the same states as without the thread, and a crash finds one of them: only the program goes on sooner.
//!
//! It also remembers what went wrong first: after a failure the database only says that there was one.
//!
//! Hazard: the database takes a commit for durable whose sync is still deferred. Whoever lets something go that a
//! checkpoint has must call [`Barrier::settle`] before.

use std::io;
use std::ops::Bound;
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
    failure: OnceLock<Failure>,
    took: Mutex<Option<Duration>>,
}

/// What the disk said, in parts that can be copied.
type Failure = (io::ErrorKind, Option<i32>);

/// The sync that was deferred last.
#[derive(Debug)]
enum Sync {
    Done,
    Owed,
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
            failure: OnceLock::new(),
            took: Mutex::new(None),
        }))
    }

    /// Defers syncs from now on.
    pub(super) fn defer(&self) {
        self.0.is_deferring.store(true, Ordering::Release);
    }

    /// Makes each sync when it is asked for, as it is at first.
    pub(super) fn no_longer_defer(&self) {
        self.0.is_deferring.store(false, Ordering::Release);
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
            Sync::Owed => self.0.file.sync_data(),
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
        *sync = Sync::Done;
        Ok(sync)
    }

    fn begin(&self) -> Sync {
        if self.0.when == When::AtLast {
            return Sync::Owed;
        }
        let file = Arc::clone(&self.0.file);
        let thread = std::thread::Builder::new().name("checkpoint".to_owned());
        let sync = move || {
            let begun = Instant::now();
            file.sync_data().map(|()| begun.elapsed())
        };
        thread.spawn(sync).map_or(Sync::Owed, Sync::UnderWay)
    }
}

impl StorageBackend for Barrier {
    fn len(&self) -> io::Result<u64> {
        self.noted(self.0.file.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.noted(self.0.file.read(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let _settled = self.settled()?;
        self.noted(self.0.file.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut settled = self.settled()?;
        if self.0.is_deferring.load(Ordering::Acquire) {
            *settled = self.begin();
            return Ok(());
        }
        let done = self.noted(self.0.file.sync_data());
        if done.is_err() {
            *settled = Sync::Failed;
        }
        done
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
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
mod tests {
    use std::sync::atomic::AtomicUsize;

    use redb::backends::InMemoryBackend;

    use super::*;

    /// Notes what is asked of it; every sync after so many fails.
    #[derive(Debug)]
    struct File {
        memory: InMemoryBackend,
        calls: Arc<Mutex<Vec<&'static str>>>,
        syncs: AtomicUsize,
    }

    impl StorageBackend for File {
        fn len(&self) -> io::Result<u64> {
            self.memory.len()
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            self.memory.read(offset, out)
        }

        fn set_len(&self, len: u64) -> io::Result<()> {
            self.calls.lock().unwrap().push("length");
            self.memory.set_len(len)
        }

        fn sync_data(&self) -> io::Result<()> {
            self.calls.lock().unwrap().push("sync");
            if self.syncs.fetch_sub(1, Ordering::Relaxed) == 0 {
                self.syncs.store(0, Ordering::Relaxed);
                return Err(io::Error::from_raw_os_error(5));
            }
            Ok(())
        }

        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            self.calls.lock().unwrap().push("write");
            self.memory.write(offset, data)
        }
    }

    type Calls = Arc<Mutex<Vec<&'static str>>>;

    fn barrier(when: When, syncs: usize) -> (Barrier, Calls) {
        let calls = Calls::default();
        let (memory, syncs) = (InMemoryBackend::new(), AtomicUsize::new(syncs));
        let file = File { memory, calls: Arc::clone(&calls), syncs };
        let barrier = Barrier::new(file, when);
        barrier.set_len(10).unwrap();
        calls.lock().unwrap().clear();
        (barrier, calls)
    }

    fn deferred(barrier: &Barrier) {
        barrier.defer();
        barrier.sync_data().unwrap();
        barrier.no_longer_defer();
    }

    #[test]
    fn nothing_overtakes_a_sync_that_was_deferred() {
        for when in [When::AtOnce, When::AtLast] {
            let (barrier, calls) = barrier(when, 9);
            barrier.write(0, b"a").unwrap();
            deferred(&barrier);
            assert!(barrier.is_unsettled());
            barrier.write(0, b"b").unwrap();
            assert!(!barrier.is_unsettled());
            deferred(&barrier);
            barrier.set_len(11).unwrap();
            deferred(&barrier);
            barrier.sync_data().unwrap();
            deferred(&barrier);
            barrier.settle().unwrap();
            let order = ["write", "sync", "write", "sync", "length", "sync", "sync", "sync"];
            assert_eq!(*calls.lock().unwrap(), order);
        }
    }

    #[test]
    fn what_was_deferred_is_done_at_the_close() {
        let (barrier, calls) = barrier(When::AtLast, 9);
        deferred(&barrier);
        barrier.close().unwrap();
        assert_eq!(*calls.lock().unwrap(), ["sync"]);
    }

    #[test]
    fn nothing_is_written_after_a_sync_that_failed() {
        for when in [When::AtOnce, When::AtLast] {
            let (barrier, calls) = barrier(when, 0);
            deferred(&barrier);
            for _ in 0..2 {
                assert_eq!(barrier.write(0, b"b").unwrap_err().raw_os_error(), Some(5));
                assert_eq!(barrier.sync_data().unwrap_err().raw_os_error(), Some(5));
            }
            assert!(barrier.is_unsettled());
            assert_eq!(barrier.failure().unwrap().raw_os_error(), Some(5));
            assert_eq!(*calls.lock().unwrap(), ["sync"]);
        }
    }
}
