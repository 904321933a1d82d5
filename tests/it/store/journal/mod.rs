//! The journal beside the database.

mod salvage;
mod start;
mod write;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use testflinger_server::domain::{Advertised, ManualClock, Timestamp};
use testflinger_server::store::{DATABASE, Error, Options, QueueReads, Store};

use crate::support::{START, queues};

const JOURNAL: &str = "testflinger.journal";
/// Where the first entry begins, and how long it is when it has so few rows.
const SECTOR: usize = 512;

struct Data {
    // Removed when dropped.
    _dir: tempfile::TempDir,
    path: PathBuf,
    clock: Arc<ManualClock>,
}

impl Data {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        Self { _dir: dir, path, clock: Arc::new(ManualClock::new(Timestamp::from_micros(START))) }
    }

    fn open(&self) -> Result<Store, Error> {
        open(&self.path, self.clock.clone())
    }

    fn journal(&self) -> PathBuf {
        self.path.join(JOURNAL)
    }

    /// The data as a crash leaves it in this moment.
    fn crashed(&self) -> Self {
        let copy = Self::new();
        for name in [DATABASE, JOURNAL] {
            if self.path.join(name).exists() {
                fs::copy(self.path.join(name), copy.path.join(name)).unwrap();
            }
        }
        copy
    }

    /// Changes the journal's bytes.
    fn damage(&self, act: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.journal()).unwrap();
        act(&mut bytes);
        fs::write(self.journal(), bytes).unwrap();
    }

    /// Removes so many entries from the beginning of the journal, each of one sector.
    fn forget(&self, entries: usize) {
        self.damage(|bytes| bytes[SECTOR..(1 + entries) * SECTOR].fill(0));
    }

    /// The queues that are there after a start.
    fn found(&self) -> Vec<String> {
        let store = self.open().unwrap();
        let found = advertised(&store);
        store.close().unwrap();
        found
    }

    #[track_caller]
    fn is_refused(&self, because: &str) {
        let error = self.open().err().unwrap();
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(because), "{error}");
    }
}

fn open(data: &Path, clock: Arc<ManualClock>) -> Result<Store, Error> {
    let on_fatal = Box::new(|error: &Error| panic!("{error}"));
    Store::open(data, Options { cache: 1 << 20, clock, on_fatal })
}

fn queue(name: &str, text: usize) -> Advertised {
    let name = queues(&[name]).remove(0);
    Advertised { name, description: "x".repeat(text), updated_at: None }
}

fn advertise(store: &Store, name: &str, text: usize) {
    let queue = queue(name, text);
    store.write::<_, Error>(move |tx, _| tx.put_advertised(&queue)).unwrap();
}

/// Leaves data as a crash does after the queues a, b, c and d were advertised, of which the journal alone has the last
/// three.
pub(crate) fn crash(data: &Path) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(START)));
    let store = open(data, clock).unwrap();
    for name in ["a", "b", "c", "d"] {
        advertise(&store, name, 1);
    }
    let crashed = [DATABASE, JOURNAL].map(|name| (name, fs::read(data.join(name)).unwrap()));
    store.close().unwrap();
    for (name, bytes) in crashed {
        fs::write(data.join(name), bytes).unwrap();
    }
}

/// Damages one of the batches of [`crash`], the first of which has the number 1.
pub(crate) fn damage(data: &Path, batch: usize) {
    let mut bytes = fs::read(data.join(JOURNAL)).unwrap();
    bytes[batch * SECTOR + 40] ^= 1;
    fs::write(data.join(JOURNAL), bytes).unwrap();
}

fn advertised(store: &Store) -> Vec<String> {
    let tx = store.read().unwrap();
    tx.advertised_after(None, 1000).unwrap().iter().map(|queue| queue.name.to_string()).collect()
}

/// A crash after four writes, of which the first began the journal and the others are in nothing else.
fn four_writes() -> Data {
    let data = Data::new();
    crash(&data.path);
    data
}
