//! What a start after a crash has to do.

use std::sync::Arc;

use redb::StorageBackend;
use redb::backends::InMemoryBackend;
use testflinger_server::domain::{Advertised, SystemClock};
use testflinger_server::store::{Error, Options, Store};

use crate::support::disk::Disk;
use crate::support::queues;

fn options() -> Options {
    let on_fatal = Box::new(|error: &Error| panic!("{error}"));
    Options { cache: 1 << 20, clock: Arc::new(SystemClock), on_fatal }
}

/// Whether the database must read all its pages before it can be used.
fn needs_repair(database: &[u8]) -> bool {
    let memory = InMemoryBackend::new();
    memory.set_len(database.len() as u64).unwrap();
    memory.write(0, database).unwrap();
    let mut builder = redb::Database::builder();
    let opened =
        builder.set_repair_callback(redb::RepairSession::abort).create_with_backend(memory);
    match opened {
        Ok(_) => false,
        Err(redb::DatabaseError::RepairAborted) => true,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_database_needs_no_repair_whenever_the_program_dies() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), Disk::default());
    let [database, journal] = disk.power_on();
    let store = Store::with_backends(database, journal, dir.path(), options()).unwrap();
    for number in 0..200 {
        // Some are too large for an entry of the journal.
        let size = if number % 40 == 0 { 300 << 10 } else { 20_000 };
        let name = queues(&[&format!("q{number}")]).remove(0);
        let queue = Advertised { name, description: "x".repeat(size), updated_at: None };
        store.write::<_, Error>(move |tx, _| tx.put_advertised(&queue)).unwrap();
        let [database, _] = disk.bytes();
        assert!(!needs_repair(&database), "after {number}");
    }
    store.close().unwrap();
}
