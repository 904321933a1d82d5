//! No reader sees what is not on disk yet, whichever way a batch gets there.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redb::StorageBackend;
use redb::backends::InMemoryBackend;
use testflinger_server::domain::{Advertised, ManualClock, Timestamp};
use testflinger_server::store::{Error, Options, QueueReads, Store};

use crate::support::{START, queues};

/// A file whose syncs wait for the test, once it says so.
#[derive(Debug)]
struct Gate {
    memory: InMemoryBackend,
    wait: Arc<Mutex<Option<Wait>>>,
}

/// Says that a sync was asked for, and waits for leave to make it.
type Wait = (Sender<()>, Receiver<()>);

impl StorageBackend for Gate {
    fn len(&self) -> io::Result<u64> {
        self.memory.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.memory.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.memory.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        if let Some((asked, leave)) = &*self.wait.lock().unwrap() {
            asked.send(()).unwrap();
            leave.recv().unwrap();
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.memory.write(offset, data)
    }
}

struct Data {
    store: Store,
    clock: Arc<ManualClock>,
    database: Arc<Mutex<Option<Wait>>>,
    journal: Arc<Mutex<Option<Wait>>>,
    // Removed when dropped.
    _dir: tempfile::TempDir,
}

impl Data {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(START)));
        let (database, journal) = (Arc::default(), Arc::default());
        let gate = |wait: &Arc<_>| Gate { memory: InMemoryBackend::new(), wait: Arc::clone(wait) };
        let options = Options {
            cache: 1 << 20,
            clock: clock.clone(),
            on_fatal: Box::new(|error| panic!("{error}")),
        };
        let store =
            Store::with_backends(gate(&database), gate(&journal), dir.path(), options).unwrap();
        let data = Self { store, clock, database, journal, _dir: dir };
        // Now there is room for all that follows: readers wait while the database makes its file longer.
        for text in [2 << 20, 1] {
            data.advertise("0", text);
        }
        data
    }

    fn advertise(&self, name: &str, text: usize) {
        let name = queues(&[name]).remove(0);
        let queue = Advertised { name, description: "x".repeat(text), updated_at: None };
        self.store.write::<_, Error>(move |tx, _| tx.put_advertised(&queue)).unwrap();
    }

    fn found(&self) -> Vec<String> {
        let tx = self.store.read().unwrap();
        let found = tx.advertised_after(None, 1000).unwrap();
        found.iter().map(|queue| queue.name.to_string()).collect()
    }

    /// Writes `name`, which must not be seen before each of the syncs of `file` that the write waits for, and then must.
    #[track_caller]
    fn is_seen_after(&self, (file, syncs): (&Mutex<Option<Wait>>, usize), name: &str, text: usize) {
        let before = self.found();
        let (asked, was_asked) = channel();
        let (leave, may) = channel();
        *file.lock().unwrap() = Some((asked, may));
        std::thread::scope(|scope| {
            let write = scope.spawn(|| self.advertise(name, text));
            for _ in 0..syncs {
                was_asked.recv().unwrap();
                assert_eq!(self.found(), before);
                leave.send(()).unwrap();
            }
            write.join().unwrap();
        });
        *file.lock().unwrap() = None;
        assert_eq!(self.found(), [&before[..], &[name.to_owned()]].concat());
    }
}

#[test]
fn a_batch_is_seen_after_its_entry_is_on_disk() {
    let data = Data::new();
    data.advertise("a", 1);
    data.is_seen_after((&data.journal, 1), "b", 1);
    data.clock.advance(Duration::from_secs(1));
    // With this one the database begins to have everything.
    data.is_seen_after((&data.journal, 1), "c", 1);
    data.is_seen_after((&data.journal, 1), "d", 1);
    data.store.close().unwrap();
}

#[test]
fn a_batch_without_an_entry_is_seen_after_the_database_is_on_disk() {
    let data = Data::new();
    data.advertise("b", 1);
    data.is_seen_after((&data.database, 2), "c", 300 << 10);
    data.store.close().unwrap();
}

#[test]
fn a_checkpoint_keeps_nobody_waiting() {
    let data = Data::new();
    data.advertise("a", 1);
    data.advertise("b", 1);
    let (asked, was_asked) = channel();
    let (leave, may) = channel();
    *data.database.lock().unwrap() = Some((asked, may));
    data.clock.advance(Duration::from_secs(1));
    for name in ["c", "d", "e"] {
        data.advertise(name, 1);
    }
    assert_eq!(was_asked.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty));
    // A batch that is durable in the database alone needs everything before it there, too.
    for _ in 0..4 {
        leave.send(()).unwrap();
    }
    drop(leave);
    data.advertise("f", 300 << 10);
    assert_eq!(was_asked.try_iter().count(), 4, "two for each");
    *data.database.lock().unwrap() = None;
    data.store.close().unwrap();
}
