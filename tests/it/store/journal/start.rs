//! What a start takes over from the journal, and what it refuses.

use std::fs;
use std::time::Duration;

use testflinger_server::store::{Error, check};

use super::{Data, SECTOR, advertise, damage, four_writes};
use crate::support::rows::tamper;

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
