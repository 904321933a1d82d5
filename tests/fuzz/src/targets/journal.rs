//! The journal of a server that was killed, whatever is in the file: what it holds whole is taken over, and nothing else, or it is
//! refused because something is missing.
//!
//! The input is how long the file is in the end, two bytes, and then what is written over a sound journal: pieces that begin with
//! `%`, a sector and a number. If the sector's highest bit is set, the rest of the piece is written there as it comes. Otherwise
//! the rest are rows, and an entry of them with this number is written, whose head and sum are made here.
//!
//! Opening a database takes a hundred times as long as reading its journal, so only a share of the inputs is started from; of all
//! others the rows that a start would take over are compared with those that were written.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use redb::{ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, TableHandle};
use tempfile::TempDir;
use testflinger_server::domain::{Advertised, ManualClock, QueueName, Timestamp};
use testflinger_server::store::{Error, JournalRow, Options, Store, journal_rows};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::directory;

const SECTOR: usize = 512;
const HEAD: usize = 24;
const MAGIC: &[u8; 4] = b"TFJ1";
/// The checksum before each value.
const SEAL: usize = 4;
/// Tables that a start does not read.
const TABLES: [&str; 3] = ["image-1", "log-tail-1", "result-1"];
/// The highest bit of a byte.
const TOP: u8 = 0x80;
/// A store is started from one of so many inputs.
const SHARE: u64 = 32;

/// A file in memory.
#[derive(Clone, Debug, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn of(bytes: &[u8]) -> Self {
        Self(Arc::new(Mutex::new(bytes.to_owned())))
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap()
    }
}

fn place(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

impl StorageBackend for Memory {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        out.copy_from_slice(&self.bytes()[place(offset)..][..out.len()]);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.bytes().resize(place(length), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.bytes()[place(offset)..][..data.len()].copy_from_slice(data);
        Ok(())
    }
}

/// Each row of a database, as it is stored, by its table and key.
type Rows = BTreeMap<(String, Vec<u8>), Vec<u8>>;

fn rows(database: &Memory) -> Rows {
    let mut found = Rows::new();
    let db = redb::Database::builder().create_with_backend(database.clone()).unwrap();
    let tx = db.begin_read().unwrap();
    for table in tx.list_tables().unwrap() {
        let of = TableDefinition::<&[u8], &[u8]>::new(table.name());
        for row in tx.open_table(of).unwrap().iter().unwrap() {
            let (key, value) = row.unwrap();
            let place = (table.name().to_owned(), key.value().to_owned());
            found.insert(place, value.value().to_owned());
        }
    }
    found
}

/// A value as it is stored: its checksum stands before it.
fn sealed(table: &str, key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut sum = crc32fast::Hasher::new();
    for part in [table.as_bytes(), &(key.len() as u64).to_be_bytes(), key, value] {
        sum.update(part);
    }
    [&sum.finalize().to_be_bytes(), value].concat()
}

/// What a server left that was killed: the database has its batch 2, the last one in the journal.
struct Killed {
    database: Vec<u8>,
    journal: Vec<u8>,
    salt: u64,
    /// What the database says of its journal.
    row: Vec<u8>,
    /// What is found when nothing follows.
    rows: Rows,
    blobs: TempDir,
}

const LAST: u64 = 2;

static KILLED: LazyLock<Killed> = LazyLock::new(|| {
    let blobs = directory();
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_795_435_200_000_000)));
    let [database, journal] = [Memory::default(), Memory::default()];
    let store = open(&database, &journal, &blobs, clock.clone()).unwrap();
    // Each second entry is followed by a checkpoint, which waits until the one before is on the disk.
    for name in ["a", "b", "c", "d", "e"] {
        let name = QueueName::try_from(name.to_owned()).unwrap();
        let queue = Advertised { name, description: String::new(), updated_at: None };
        store.write::<_, Error>(move |tx, _| tx.put_advertised(&queue)).unwrap();
        clock.advance(Duration::from_secs(1));
    }
    let (copy, mut journal) = (Memory::of(&database.bytes()), journal.bytes().clone());
    journal[place(LAST + 1) * SECTOR..].fill(0);
    // The database itself was not damaged: its repair, which comes first, has nothing to do with the journal.
    let row = rows(&copy)[&("meta-1".to_owned(), b"journal".to_vec())][SEAL..].to_vec();
    store.close().unwrap();
    let salt = u64::from_be_bytes(journal[16..HEAD].try_into().unwrap());
    let database = copy.bytes().clone();
    open(&copy, &Memory::of(&journal), &blobs, clock).unwrap().close().unwrap();
    Killed { database, journal, salt, row, rows: rows(&copy), blobs }
});

/// An entry, and where it is written.
struct Written {
    at: usize,
    number: u64,
    bytes: Vec<u8>,
    /// `None` if they cannot be understood.
    rows: Option<Vec<JournalRow>>,
}

/// The newest value of each row, or nothing if it was removed, by its table and key.
type Newest = BTreeMap<(&'static str, Vec<u8>), Option<Vec<u8>>>;

/// Reads rows: for each its table (and the highest bit for a removal), the lengths of its key and value, and these.
fn read(mut input: &[u8]) -> Option<Vec<JournalRow>> {
    let mut rows = Vec::new();
    while let [table, key, value, rest @ ..] = input {
        let name = TABLES[usize::from(*table & !TOP) % TABLES.len()];
        let (key, rest) = rest.split_at_checked(usize::from(*key))?;
        let length = if table & TOP == 0 { usize::from(*value) } else { 0 };
        let (value, rest) = rest.split_at_checked(length)?;
        rows.push((name, key.to_owned(), (table & TOP == 0).then(|| value.to_owned())));
        input = rest;
    }
    input.is_empty().then_some(rows)
}

impl Written {
    fn new(at: usize, number: u64, input: &[u8], salt: u64) -> Self {
        let rows = read(input);
        let mut bytes = vec![0; HEAD];
        for (table, key, value) in rows.iter().flatten() {
            bytes.extend([u8::from(value.is_some()), u8::try_from(table.len()).unwrap()]);
            bytes.extend(table.as_bytes());
            for part in [key].into_iter().chain(value) {
                bytes.extend(u32::try_from(part.len()).unwrap().to_le_bytes());
                bytes.extend(part);
            }
        }
        if rows.is_none() {
            // The row of a table that has no name, or one whose key is longer than what follows.
            let (nameless, long): (&[u8], &[u8]) = (b"\x01\0", b"\0\x07image-1\xff\xff\xff\xff");
            bytes.extend(if input.len().is_multiple_of(2) { nameless } else { long });
            bytes.extend(input);
        }
        let length = u32::try_from(bytes.len() - HEAD).unwrap();
        bytes[..4].copy_from_slice(MAGIC);
        bytes[4..8].copy_from_slice(&length.to_le_bytes());
        bytes[8..16].copy_from_slice(&number.to_le_bytes());
        let sum = sum(&bytes, salt);
        bytes[16..HEAD].copy_from_slice(&sum);
        Self { at, number, bytes, rows }
    }
}

fn sum(entry: &[u8], salt: u64) -> [u8; 8] {
    xxh3_64_with_seed(&[&entry[..16], &entry[HEAD..]].concat(), salt).to_le_bytes()
}

/// Whether an entry is at the beginning of `bytes`.
fn is_entry(bytes: &[u8], salt: u64) -> bool {
    let length = |head: &[u8]| u32::from_le_bytes(head[4..8].try_into().unwrap()) as usize;
    bytes.starts_with(MAGIC)
        && bytes
            .get(..HEAD)
            .and_then(|head| bytes.get(..HEAD + length(head)))
            .is_some_and(|entry| entry[16..HEAD] == sum(entry, salt))
}

fn write(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if file.len() < at + bytes.len() {
        file.resize((at + bytes.len()).next_multiple_of(SECTOR), 0);
    }
    file[at..][..bytes.len()].copy_from_slice(bytes);
}

fn open(
    database: &Memory,
    journal: &Memory,
    blobs: &TempDir,
    clock: Arc<ManualClock>,
) -> Result<Store, Error> {
    let failed = |error: &_| panic!("the store failed: {error}");
    let options = Options { cache: 1 << 20, clock, on_fatal: Box::new(failed) };
    Store::with_backends(database.clone(), journal.clone(), blobs.path(), options)
}

pub(super) fn run(input: &[u8]) {
    let Some((length, input)) = input.split_first_chunk() else { return };
    let killed = &*KILLED;
    let mut file = killed.journal.clone();
    let mut entries: Vec<Written> = (1..=LAST)
        .map(|number| {
            let at = place(number) * SECTOR;
            let length = u32::from_le_bytes(file[at + 4..][..4].try_into().unwrap());
            let bytes = file[at..][..HEAD + length as usize].to_owned();
            Written { at, number, bytes, rows: None }
        })
        .collect();
    for piece in input.split(|&byte| byte == b'%').skip(1) {
        let [sector, number, rest @ ..] = piece else { continue };
        let at = usize::from(sector & !TOP) * SECTOR;
        if sector & TOP != 0 {
            write(&mut file, at, rest);
        } else {
            let entry = Written::new(at, u64::from(*number), rest, killed.salt);
            // The rest of its last sector is zeros.
            let mut sectors = entry.bytes.clone();
            sectors.resize(sectors.len().next_multiple_of(SECTOR), 0);
            write(&mut file, at, &sectors);
            entries.push(entry);
        }
    }
    file.truncate(usize::from(u16::from_le_bytes(*length)));

    // Those that are still whole, by their numbers. Of two with the same number the last in the file counts.
    entries.sort_by_key(|entry| entry.at);
    let is_whole = |entry: &Written| {
        entry.at >= SECTOR
            && file.get(entry.at..).is_some_and(|file| file.starts_with(&entry.bytes))
    };
    let whole: BTreeMap<usize, &Written> =
        entries.iter().filter(|entry| is_whole(entry)).map(|entry| (entry.at, entry)).collect();
    // The fuzzer sees sums being compared, and plants entries of its own. Nobody else knows the salt.
    let is_planted = |at: &usize| is_entry(&file[*at..], killed.salt) && !whole.contains_key(at);
    if (SECTOR..file.len()).step_by(SECTOR).any(|at| is_planted(&at)) {
        return;
    }
    let whole: BTreeMap<u64, &Written> =
        whole.into_values().map(|entry| (entry.number, entry)).collect();
    let last = whole.last_key_value().map_or(0, |(number, _)| *number);
    let mut newest = Newest::new();
    let mut is_sound = file.starts_with(&killed.journal[..HEAD]) && last >= LAST;
    for number in LAST + 1..=last {
        let Some(rows) = whole.get(&number).and_then(|entry| entry.rows.as_ref()) else {
            is_sound = false;
            break;
        };
        newest
            .extend(rows.iter().map(|(table, key, value)| ((*table, key.clone()), value.clone())));
    }

    match journal_rows(&file, &killed.row) {
        Ok(rows) => {
            assert!(is_sound, "something was missing, and it was read");
            let rows = rows.into_iter().map(|(table, key, value)| ((table, key), value));
            assert!(rows.collect::<Newest>() == newest, "not what the journal held");
        }
        Err(error) => is_refused(&error, is_sound),
    }
    if xxh3_64(input).is_multiple_of(SHARE) {
        start(killed, &file, is_sound.then_some(newest));
    }
}

/// Starts a store, which has these rows or is refused.
fn start(killed: &Killed, journal: &[u8], newest: Option<Newest>) {
    let (database, journal) = (Memory::of(&killed.database), Memory::of(journal));
    let clock = Arc::new(ManualClock::new(Timestamp::default()));
    match open(&database, &journal, &killed.blobs, clock) {
        Ok(store) => {
            store.close().unwrap();
            assert!(newest.is_some(), "something was missing, and it was opened");
            let mut expected = killed.rows.clone();
            for ((table, key), value) in newest.into_iter().flatten() {
                let place = (table.to_owned(), key.clone());
                match value {
                    Some(value) => expected.insert(place, sealed(table, &key, &value)),
                    None => expected.remove(&place),
                };
            }
            assert!(rows(&database) == expected, "not what the journal held");
        }
        Err(error) => is_refused(&error, newest.is_some()),
    }
}

fn is_refused(error: &Error, is_sound: bool) {
    assert!(!is_sound && matches!(error, Error::Corrupt(_)), "{error}");
}
