//! What a salvage takes from the journal.

use std::fs;

use testflinger_server::domain::Timestamp;
use testflinger_server::store::{DATABASE, Error, backup};

use super::{Data, JOURNAL, advertise, damage, four_writes, queue};
use crate::support::START;
use crate::support::rows::tamper;

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
