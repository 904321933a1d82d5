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
fn what_follows_a_deferred_sync_is_deferred_too_and_in_order() {
    for when in [When::AtOnce, When::AtLast] {
        let (barrier, calls) = barrier(when, 9);
        barrier.defer();
        barrier.write(0, b"pages").unwrap();
        barrier.sync_data().unwrap();
        barrier.write(0, b"R").unwrap();
        barrier.sync_data().unwrap();
        assert_eq!(*calls.lock().unwrap(), ["write"]);
        barrier.no_longer_defer();
        barrier.write(9, b"b").unwrap();
        assert_eq!(*calls.lock().unwrap(), ["write", "sync", "write", "sync", "write"]);
        let mut read = [0; 5];
        barrier.read(0, &mut read).unwrap();
        assert_eq!(&read, b"Rages");
    }
}

#[test]
fn whoever_reads_what_is_still_to_be_written_waits_for_it() {
    for ended in [false, true] {
        let (barrier, calls) = barrier(When::AtLast, 9);
        barrier.defer();
        barrier.sync_data().unwrap();
        barrier.write(4, b"late").unwrap();
        if ended {
            barrier.no_longer_defer();
        }
        barrier.read(0, &mut [0; 4]).unwrap();
        barrier.read(8, &mut [0; 2]).unwrap();
        assert!(calls.lock().unwrap().is_empty());
        let mut read = [0; 2];
        barrier.read(7, &mut read).unwrap();
        assert_eq!(&read, b"e\0");
        assert_eq!(*calls.lock().unwrap(), ["sync", "write"]);
    }
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
