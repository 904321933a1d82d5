//! The journal beside the database: what a start takes over from it, and what it refuses.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use testflinger_server::domain::{Advertised, ManualClock, Timestamp};
use testflinger_server::store::{DATABASE, Error, Options, QueueReads, Store, backup, check};

use crate::support::rows::tamper;
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

#[test]
fn a_start_takes_over_what_only_the_journal_has() {
    let data = four_writes();
    assert_eq!(data.found(), ["a", "b", "c", "d"]);
    // The next one finds it in the database.
    fs::remove_file(data.journal()).unwrap();
    assert_eq!(data.found(), ["a", "b", "c", "d"]);
}

#[test]
fn a_check_takes_it_over_too() {
    let data = four_writes();
    let report = checked(&data).unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    let said = "3 batches of the journal were taken over into the database";
    assert_eq!(report.repaired, [said]);
    assert!(checked(&data).unwrap().repaired.is_empty());
    fs::remove_file(data.journal()).unwrap();
    assert_eq!(data.found(), ["a", "b", "c", "d"]);
}

#[test]
fn a_start_that_crashed_is_repeated() {
    let data = four_writes();
    let journal = fs::read(data.journal()).unwrap();
    let half = data.crashed();
    assert_eq!(data.found(), ["a", "b", "c", "d"]);
    // It had changed nothing but the database, which another crash brings back to what it was.
    assert_eq!(fs::read(data.journal()).unwrap(), journal);
    assert_eq!(half.found(), ["a", "b", "c", "d"]);
}

#[test]
fn an_entry_that_was_being_written_is_left_out() {
    let data = four_writes();
    damage(&data.path, 3);
    let report = checked(&data.crashed()).unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    let said = "2 batches of the journal were taken over into the database; a batch was cut off";
    assert!(report.repaired[0].starts_with(said), "{:?}", report.repaired);
    assert_eq!(data.found(), ["a", "b", "c"]);
}

#[test]
fn a_damaged_entry_before_one_that_was_acknowledged_is_refused() {
    let data = four_writes();
    damage(&data.path, 2);
    data.is_refused("batch 2 of the journal is missing, but batch 3 is there");
    assert!(matches!(checked(&data), Err(Error::Damaged { .. })));
}

fn checked(data: &Data) -> Result<check::Report, Error> {
    fs::create_dir_all(data.path.join("blobs")).unwrap();
    check::check(&data.path, check::Options { repair: true, hash: false }, &mut |_| {})
}

/// Salvages data, and gives the queues that are saved and the sentences of what is lost.
fn salvaged(data: &Data) -> (Vec<String>, Vec<String>) {
    let new = Data::new();
    let into = new.path.join("saved");
    let now = Timestamp::from_micros(START);
    let saved = backup::salvage(&data.path, into.clone(), now, &mut |_| {}).unwrap();
    let saved_data = Data { path: into, ..new };
    let lost = saved.lost.into_iter().filter(|what| !what.starts_with("the keys")).collect();
    (saved_data.found(), lost)
}

#[test]
fn a_salvage_takes_what_the_database_and_the_journal_have() {
    let data = four_writes();
    let files = [DATABASE, JOURNAL].map(|name| data.path.join(name));
    let journal = fs::read(&files[1]).unwrap();
    let (queues, lost) = salvaged(&data);
    assert_eq!(queues, ["a", "b", "c", "d"]);
    assert!(lost.is_empty(), "{lost:?}");
    // It leaves the database without what the journal has, and the journal as it is.
    assert_eq!(fs::read(&files[1]).unwrap(), journal);
    damage(&data.path, 1);
    data.is_refused("batch 1 of the journal is missing");
}

#[test]
fn a_salvage_names_batches_that_are_lost_and_takes_those_behind_them() {
    let data = four_writes();
    damage(&data.path, 2);
    let (queues, lost) = salvaged(&data);
    assert_eq!(queues, ["a", "b", "d"]);
    assert_eq!(lost, ["batch 2 of the journal is missing, but batch 3 is there"]);
    damage(&data.path, 1);
    let (queues, lost) = salvaged(&data);
    assert_eq!(queues, ["a", "d"]);
    assert_eq!(lost, ["batches 1 to 2 of the journal are missing, but batch 3 is there"]);
}

#[test]
fn a_salvage_without_the_journal_takes_what_the_database_has() {
    let data = four_writes();
    fs::remove_file(data.journal()).unwrap();
    let (queues, lost) = salvaged(&data);
    assert_eq!(queues, ["a"]);
    assert!(lost[0].contains("testflinger.journal is missing"), "{lost:?}");
    let other = four_writes();
    tamper(&other.path, "meta-1", |rows, _, _| rows.flip(b"journal"));
    let (queues, lost) = salvaged(&other);
    assert_eq!(queues, ["a"]);
    assert!(lost[0].contains("the row about the journal is damaged"), "{lost:?}");
}

#[test]
fn in_a_salvage_the_journal_has_the_last_word() {
    let data = Data::new();
    let store = data.open().unwrap();
    for (name, text) in [("a", 1), ("b", 1), ("c", 1), ("a", 2)] {
        advertise(&store, name, text);
    }
    store.write::<_, Error>(|tx, _| tx.remove_advertised(&queue("b", 1))).unwrap();
    let crashed = data.crashed();
    store.close().unwrap();
    // Damaged, but written anew in the journal.
    tamper(&crashed.path, "queue-1", |rows, first, _| rows.flip(&first));
    let (queues, lost) = salvaged(&crashed);
    assert_eq!(queues, ["a", "c"]);
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn a_journal_that_is_missing_is_refused() {
    let data = four_writes();
    fs::remove_file(data.journal()).unwrap();
    data.is_refused("testflinger.journal is missing");
    assert!(!data.journal().exists());
}

#[test]
fn a_journal_of_another_database_is_refused() {
    let (data, other) = (four_writes(), four_writes());
    fs::copy(other.journal(), data.journal()).unwrap();
    data.is_refused("belongs to another database");
}

/// Lets the database say another number of the last batch that it has.
fn says(data: &Data, number: impl FnOnce(u8) -> u8) {
    tamper(&data.path, "meta-1", |rows, _, _| {
        let mut row = rows.get(b"journal");
        row[15] = number(row[15]);
        rows.put(b"journal", &row);
    });
}

#[test]
fn a_journal_that_ends_before_what_the_database_has_is_refused() {
    let data = four_writes();
    says(&data, |_| 4);
    data.is_refused("the journal ends with batch 3, but the database has batch 4");
}

#[test]
fn a_database_that_lacks_what_its_journal_has_forgotten_is_refused() {
    let data = Data::new();
    let store = data.open().unwrap();
    for number in 0..20 {
        data.clock.advance(Duration::from_secs(1));
        advertise(&store, &format!("q{number}"), 10_000);
    }
    let crashed = data.crashed();
    store.close().unwrap();
    says(&crashed, |_| 1);
    crashed.is_refused("of the journal are missing");
}

#[test]
fn a_closed_store_does_not_need_its_journal() {
    let data = Data::new();
    let store = data.open().unwrap();
    advertise(&store, "a", 1);
    advertise(&store, "b", 1);
    store.close().unwrap();
    fs::remove_file(data.journal()).unwrap();
    assert_eq!(data.found(), ["a", "b"]);
}

#[test]
fn nothing_is_made_before_something_is_written() {
    let data = Data::new();
    data.open().unwrap().close().unwrap();
    assert!(!data.journal().exists());
    let store = data.open().unwrap();
    advertise(&store, "a", 1);
    let mode = fs::metadata(data.journal()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    store.close().unwrap();
}

#[test]
fn after_a_second_the_database_has_everything() {
    let data = Data::new();
    let store = data.open().unwrap();
    for name in ["a", "b", "c"] {
        advertise(&store, name, 1);
    }
    data.clock.advance(Duration::from_secs(1));
    advertise(&store, "d", 1);
    let crashed = data.crashed();
    crashed.forget(2);
    assert_eq!(crashed.found(), ["a", "b", "c", "d"]);
    // What follows takes the place of what the database has.
    advertise(&store, "e", 1);
    let crashed = data.crashed();
    assert_eq!(crashed.found(), ["a", "b", "c", "d", "e"]);
    store.close().unwrap();
}

#[test]
fn a_clock_that_steps_back_does_not_put_off_the_checkpoint() {
    let data = Data::new();
    let store = data.open().unwrap();
    for name in ["a", "b"] {
        advertise(&store, name, 1);
    }
    data.clock.set(Timestamp::from_micros(START).minus(Duration::from_hours(1)));
    advertise(&store, "c", 1);
    let crashed = data.crashed();
    crashed.forget(1);
    assert_eq!(crashed.found(), ["a", "b", "c"]);
    store.close().unwrap();
}

#[test]
fn a_batch_that_is_too_large_for_an_entry_goes_to_the_database_with_all_before_it() {
    let data = Data::new();
    let store = data.open().unwrap();
    for name in ["a", "b", "c"] {
        advertise(&store, name, 1);
    }
    advertise(&store, "d", 300 << 10);
    let crashed = data.crashed();
    crashed.forget(1);
    assert_eq!(crashed.found(), ["a", "b", "c", "d"]);
    store.close().unwrap();
}

#[test]
fn a_journal_that_is_full_begins_again_and_grows() {
    let data = Data::new();
    let store = data.open().unwrap();
    let names: Vec<String> = (0..100).map(|number| format!("q{number:03}")).collect();
    for (done, name) in names.iter().enumerate() {
        advertise(&store, name, 10_000);
        if done % 9 == 0 {
            assert_eq!(data.crashed().found(), names[..=done]);
        }
    }
    let length = fs::metadata(data.journal()).unwrap().len();
    assert!(length > 64 << 10, "{length}");
    store.close().unwrap();
    assert_eq!(data.found(), names);
}

#[test]
fn a_journal_that_was_cut_off_while_it_grew_is_read_to_its_end() {
    let data = Data::new();
    fs::write(data.journal(), vec![0; 3 << 20]).unwrap();
    let store = data.open().unwrap();
    let names: Vec<String> = (0..20).map(|number| format!("q{number:03}")).collect();
    for name in &names {
        advertise(&store, name, 200 << 10);
    }
    assert_eq!(data.crashed().found(), names);
    store.close().unwrap();
}

#[test]
fn an_entry_in_the_text_of_a_job_is_not_taken_for_one_of_the_journal() {
    // Whole sectors that look like later entries, as somebody could send them who does not know the journal's salt.
    let data = four_writes();
    let forged = four_writes();
    let entry = fs::read(forged.journal()).unwrap()[3 * SECTOR..4 * SECTOR].to_vec();
    data.damage(|bytes| {
        bytes[10 * SECTOR..11 * SECTOR].copy_from_slice(&entry);
        // With a number that was not reached yet.
        bytes[10 * SECTOR + 8] = 200;
    });
    assert_eq!(data.found(), ["a", "b", "c", "d"]);
}
