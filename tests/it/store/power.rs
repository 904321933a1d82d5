//! The database and its journal together, through lives that end when the power goes: what was acknowledged is there.
//!
//! The lives are long enough for the journal to fill its halves, to grow and to turn, which those of
//! [`crate::ops::delivery`] seldom are. `TESTFLINGER_LIVES` says how many histories there are, `TESTFLINGER_SEED` the
//! number of the first.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use testflinger_server::domain::{Advertised, ManualClock, Timestamp};
use testflinger_server::store::{Error, Options, QueueReads, Store};

use crate::support::disk::{Cut, Disk, LUCKY, next};
use crate::support::{START, queues};

/// How many histories plain `cargo test` runs.
const PLAIN: u64 = 150;
/// A disk that lies must be noticed within so many.
const WITHIN: u64 = 50;
/// How many times the power goes in each.
const LIVES: u64 = 4;
/// How often something is written in each life at most.
const WRITES: u64 = 150;
const NAMES: u64 = 20;

/// Each queue, and the number of the write that it was last described by.
type State = BTreeMap<String, u64>;

struct History<'h> {
    blobs: &'h Path,
    disk: Disk,
    clock: Arc<ManualClock>,
    seed: u64,
    written: u64,
    acknowledged: State,
    /// What was being written when the power went.
    under_way: Option<(String, u64)>,
}

impl History<'_> {
    fn random(&mut self, below: u64) -> u64 {
        next(&mut self.seed) % below
    }

    fn live(&mut self) -> Result<(), String> {
        for _ in 0..LIVES {
            let store = self.start()?;
            let after = u16::try_from(self.random(2 * WRITES)).unwrap();
            let luck = u8::try_from(self.random(u64::from(LUCKY) + 1)).unwrap();
            let seed = self.random(u64::MAX);
            self.disk.arm(Some(Cut { after, luck, seed }));
            for _ in 0..WRITES {
                self.tick();
                if !self.write(&store)? {
                    break;
                }
            }
            self.disk.arm(None);
            // Fails when the power went.
            let _ = store.close();
        }
        self.start()?.close().map_err(|error| error.to_string())
    }

    /// Starts the store, and compares what is there with what was acknowledged.
    fn start(&mut self) -> Result<Store, String> {
        let [database, journal] = self.disk.power_on();
        let clock = self.clock.clone();
        let options = Options { cache: 1 << 20, clock, on_fatal: Box::new(|_| ()) };
        let store = Store::with_backends(database, journal, self.blobs, options)
            .map_err(|error| error.to_string())?;
        let found = found(&store).map_err(|error| error.to_string())?;
        if found != self.acknowledged {
            let mut landed = self.acknowledged.clone();
            landed.extend(self.under_way.clone());
            if found != landed {
                return Err(format!("there is\n{found:?}\nand not\n{landed:?}"));
            }
            self.acknowledged = landed;
        }
        self.under_way = None;
        Ok(store)
    }

    /// Time passes, or not, or the clock steps back.
    fn tick(&mut self) {
        match self.random(24) {
            0..2 => self.clock.advance(Duration::from_secs(1)),
            2 => self.clock.set(Timestamp::from_micros(START)),
            _ => {}
        }
    }

    /// Says whether the power is still on.
    fn write(&mut self, store: &Store) -> Result<bool, String> {
        self.written += 1;
        let name = format!("q{}", self.random(NAMES));
        let text = [1, 1, 1, 700, 3000, 12_000, 100_000, 300_000][match self.random(40) {
            one @ 0..8 => usize::try_from(one).unwrap(),
            _ => 0,
        }];
        let queue = Advertised {
            name: queues(&[&name]).remove(0),
            description: format!("{} {}", self.written, "x".repeat(text)),
            updated_at: None,
        };
        match store.write::<_, Error>(move |tx, _| tx.put_advertised(&queue)) {
            Ok(()) => {
                self.acknowledged.insert(name, self.written);
                Ok(true)
            }
            Err(_) if !self.disk.is_on() => {
                self.under_way = Some((name, self.written));
                Ok(false)
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

fn found(store: &Store) -> Result<State, Error> {
    let queues = store.read()?.advertised_after(None, 1000)?;
    let number = |text: &str| text.split(' ').next().unwrap().parse().unwrap();
    Ok(queues.iter().map(|queue| (queue.name.to_string(), number(&queue.description))).collect())
}

/// Lives through `count` histories, and gives the first that goes wrong. The disk forgets syncs of the file `lies`.
fn run(first: u64, count: u64, lies: Option<usize>) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let clock = || Arc::new(ManualClock::new(Timestamp::from_micros(START)));
    let of = |disk, seed| History {
        blobs: dir.path(),
        disk,
        clock: clock(),
        seed,
        written: 0,
        acknowledged: State::new(),
        under_way: None,
    };
    let mut made = of(Disk::default(), 0);
    made.start().and_then(|store| store.close().map_err(|error| error.to_string()))?;
    let image = made.disk.bytes();
    for number in first..first + count {
        let disk = Disk::with(image.clone());
        if let Some(file) = lies {
            disk.lie(file, number);
        }
        // A journal that cannot grow turns each time a half is full.
        if number % 4 > 0 {
            disk.limit(1, 8 << 10);
        }
        of(disk, number).live().map_err(|error| format!("history {number}: {error}"))?;
    }
    Ok(())
}

#[test]
fn what_was_acknowledged_is_there_whenever_the_power_goes() {
    let variable = |name| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let first = variable("TESTFLINGER_SEED").unwrap_or(0);
    run(first, variable("TESTFLINGER_LIVES").unwrap_or(PLAIN), None).unwrap();
}

#[test]
fn a_database_that_is_not_on_disk_when_it_says_so_is_noticed() {
    run(0, WITHIN, Some(0)).unwrap_err();
}

#[test]
fn a_journal_that_is_not_on_disk_when_it_says_so_is_noticed() {
    run(0, WITHIN, Some(1)).unwrap_err();
}
