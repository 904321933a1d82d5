//! How the journal is written, and when the database has everything.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use testflinger_server::domain::Timestamp;
use testflinger_server::store::Store;

use super::{Data, advertise};
use crate::support::START;

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

/// Waits until the checkpoint that was begun last is on the disk, because the next one does.
fn is_in_the_database(data: &Data, store: &Store) {
    advertise(store, "e", 1);
    data.clock.advance(Duration::from_secs(1));
    advertise(store, "f", 1);
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
    is_in_the_database(&data, &store);
    let crashed = data.crashed();
    crashed.forget(2);
    assert_eq!(crashed.found(), ["a", "b", "c", "d", "e", "f"]);
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
    is_in_the_database(&data, &store);
    let crashed = data.crashed();
    crashed.forget(1);
    assert_eq!(crashed.found(), ["a", "b", "c", "e", "f"]);
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
