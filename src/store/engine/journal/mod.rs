//! The journal: what each batch changed, on disk before anybody is answered.
//!
//! A durable commit of the database writes two dozen pages all over its file. The entry of a batch is a few sectors in
//! a row, in a file that has its length already. So the writer's batches are appended here and synced, and the database
//! commits them without a sync. About once a second, and whenever half of the file is full, a *checkpoint* makes the
//! database durable, while the writer goes on ([`super::backend`]). A batch that is too large for an entry is committed
//! durably by itself.
//!
//! The database has a row about its journal ([`State`]) from the first batch on, until it is closed: while the row is
//! there, the database is complete only with the entries whose numbers follow the row's. A start replays them. Rows are
//! put and removed, so it does no harm when some of them are in the database already.
//!
//! Hazards: the database must hold an entry durably before another one takes its place, which is why there are two
//! halves: when the journal turns to the other half, the checkpoint that was begun at the turn before is durable. Readers
//! see what the database has committed, so an entry is synced before that. What fails here leaves the disk in a state
//! that nobody knows; the writer then ends the process, as it does after a failed commit.
//!
//! The rest of the program knows three things of a journal: it appends durably, it is read from a number on, and it
//! forgets what a checkpoint holds. The entry is made for a journal that is somewhere else, too.

mod entry;
mod replay;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::backend::{StorageBackend, Transaction, file_backend};
use super::disk::sync_dir;
use super::key::{Key, Tail};
use super::write::WriteTx;
use super::{Error, Table};
use crate::domain::Timestamp;
pub(crate) use entry::Changes;
use entry::SECTOR;
pub(crate) use replay::Replay;

/// The journal's file in the data directory.
pub(crate) const FILE: &str = "testflinger.journal";
/// The key of [`State`] in the `meta` table.
pub(crate) const ROW: &str = "journal";
/// How long an entry may be the only durable place of what it says: so much is replayed at a start after a crash.
pub(super) const INTERVAL: Duration = Duration::from_secs(1);
/// The file's length at first and at most, bytes. It doubles when a half was full before [`INTERVAL`] was over.
const LENGTHS: (u64, u64) = (8 << 10, 4 << 20);
const MAGIC: &[u8; 16] = b"testflinger-log1";

/// What the database knows of its journal: which it is, and the last batch that the database holds for certain.
#[derive(Clone, Copy)]
struct State {
    /// Made anew for each journal, so that no entry of another one passes for one of this, be it left in the file or
    /// sent by somebody in a job's text.
    salt: u64,
    number: u64,
}

impl State {
    fn bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.salt.to_be_bytes());
        bytes[8..].copy_from_slice(&self.number.to_be_bytes());
        bytes
    }

    fn read(bytes: &[u8]) -> Self {
        let mut tail = Tail(bytes);
        let number = tail.number();
        Self { salt: tail.number(), number }
    }
}

/// A journal that batches are appended to.
struct Running {
    /// The number is that of the last batch.
    state: State,
    /// Where the next entry goes: it begins at the start, and the half ends at the end.
    room: Range<u64>,
    /// How long the file is.
    length: u64,
    /// When the first entry since the last checkpoint was appended.
    since: Option<Timestamp>,
}

impl Running {
    fn is_due(&self, now: Timestamp) -> bool {
        self.since.is_some_and(|since| since > now || now.since(since) >= INTERVAL)
    }

    /// Whether an entry could be there whichever the half.
    const fn fits(&self, size: u64) -> bool {
        size <= self.length / 2 - SECTOR as u64
    }

    /// Goes on at the beginning of the other half. The database holds durably what is there.
    fn turn(&mut self) {
        let middle = self.length / 2;
        self.room =
            if self.room.end == middle { middle..self.length } else { SECTOR as u64..middle };
    }

    /// Makes the file twice as long, and goes on in the new half.
    fn grow(&mut self, media: &dyn StorageBackend) {
        match fill(media, self.length, self.length * 2) {
            Ok(()) => {
                self.room = self.length..self.length * 2;
                self.length *= 2;
            }
            Err(error) => {
                tracing::debug!(%error, "the journal cannot grow");
                self.turn();
            }
        }
    }
}

/// Where the journal is kept.
enum Place {
    /// In this data directory, once it is needed.
    Directory(PathBuf),
    Open(Box<dyn StorageBackend>),
}

/// The journal of a database.
pub(super) struct Journal {
    place: Place,
    /// `None` while the database is complete by itself.
    running: Option<Running>,
}

impl Journal {
    /// The journal of a data directory. Nothing is made before the first batch.
    pub(super) fn of(dir: &Path) -> Self {
        Self { place: Place::Directory(dir.to_owned()), running: None }
    }

    /// A journal on a backend of the caller's.
    pub(super) fn on(backend: impl StorageBackend) -> Self {
        Self { place: Place::Open(Box::new(backend)), running: None }
    }

    fn media(&mut self, create: bool) -> Result<&dyn StorageBackend, Error> {
        if let Place::Directory(dir) = &self.place {
            let path = dir.join(FILE);
            if !create && !path.exists() {
                return Err(Error::Corrupt(format!(
                    "{} is missing, which has what was acknowledged last",
                    path.display()
                )));
            }
            let media = file_backend(&path, create)?;
            sync_dir(dir)?;
            self.place = Place::Open(Box::new(media));
        }
        match &self.place {
            Place::Open(media) => Ok(&**media),
            Place::Directory(_) => Err(Error::Closed),
        }
    }

    /// Makes a batch that was run in `txn` durable, and then shows it to readers. Gives the bytes that it took here.
    pub(super) fn commit(
        &mut self,
        txn: Transaction,
        changes: Changes,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let Some(running) = &mut self.running else {
            self.begin()?;
            return self.checkpoint(txn).map(|()| 0);
        };
        let Place::Open(media) = &self.place else { return Err(Error::Closed) };
        let Some(size) = changes.size() else { return self.checkpoint(txn).map(|()| 0) };
        let mut due = running.is_due(now);
        if running.room.start + size > running.room.end {
            // What is in the other half is in the checkpoint that was begun when it was full.
            txn.settle()?;
            if !due && running.length < LENGTHS.1 || !running.fits(size) {
                running.grow(&**media);
            } else {
                running.turn();
            }
            if !running.fits(size) {
                return self.checkpoint(txn).map(|()| 0);
            }
            due = true;
        }
        running.since.get_or_insert(now);
        self.append(changes)?;
        if due {
            self.checkpoint_deferred(txn)?;
        } else {
            txn.commit_in_memory()?;
        }
        Ok(size)
    }

    fn append(&mut self, changes: Changes) -> Result<(), Error> {
        let (Some(running), Place::Open(media)) = (&mut self.running, &self.place) else {
            return Err(Error::Closed);
        };
        let State { salt, number } = running.state;
        let Some(entry) = changes.sealed(number + 1, salt) else { return Err(Error::Closed) };
        media.write(running.room.start, &entry).map_err(Error::Database)?;
        media.sync_data().map_err(Error::Database)?;
        running.state.number += 1;
        running.room.start += entry.len() as u64;
        Ok(())
    }

    /// Whether the database needs it.
    pub(super) const fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Whether there are entries that no checkpoint has.
    pub(super) fn is_ahead(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.since.is_some())
    }

    /// Commits `txn` durably, and everything before it.
    pub(super) fn checkpoint(&mut self, txn: Transaction) -> Result<(), Error> {
        self.note_in(&txn)?;
        txn.commit()
    }

    /// Begins to do so.
    pub(super) fn checkpoint_deferred(&mut self, txn: Transaction) -> Result<(), Error> {
        self.note_in(&txn)?;
        txn.commit_deferred()
    }

    /// Writes into `txn` that it holds all entries.
    fn note_in(&mut self, txn: &Transaction) -> Result<(), Error> {
        let Some(running) = &mut self.running else { return Ok(()) };
        running.since = None;
        unjournalled(txn).put(Table::Meta, &row(), &running.state.bytes())
    }

    /// Begins a journal with a new salt. It counts once the database says so, which the next checkpoint does.
    fn begin(&mut self) -> Result<(), Error> {
        let mut salt = [0; 8];
        getrandom::fill(&mut salt)
            .map_err(|error| Error::Database(std::io::Error::other(error)))?;
        let salt = u64::from_be_bytes(salt);
        let media = self.media(true)?;
        let begun = (|| {
            // A crash while it grew, or a full disk, leaves a length that no doubling gives.
            let mut length = media.len()?.min(LENGTHS.1).checked_ilog2().map_or(0, |log| 1 << log);
            if length < LENGTHS.0 {
                fill(media, 0, LENGTHS.0)?;
                length = LENGTHS.0;
            }
            media.write(0, &head(salt))?;
            media.sync_data()?;
            Ok(length)
        })();
        let length = begun.map_err(Error::Database)?;
        let state = State { salt, number: 0 };
        let room = SECTOR as u64..length / 2;
        self.running = Some(Running { state, room, length, since: None });
        Ok(())
    }

    /// Ends the journal by making the database complete by itself, in `txn`.
    pub(super) fn end(&mut self, txn: Transaction) -> Result<(), Error> {
        unjournalled(&txn).remove(Table::Meta, &row())?;
        txn.commit()?;
        self.running = None;
        Ok(())
    }

    /// Reads what the database lacks, of which `row` tells.
    pub(super) fn read(&mut self, row: &[u8]) -> Result<Replay, Error> {
        let media = self.media(false)?;
        let length = media.len().map_err(Error::Database)?.min(LENGTHS.1);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        media.read(0, &mut bytes).map_err(Error::Database)?;
        Ok(Replay::read(&bytes, row))
    }

    /// Puts everything that was read into `txn`, and ends the journal.
    pub(super) fn take_over(&mut self, replay: &Replay, txn: Transaction) -> Result<(), Error> {
        let mut rows = unjournalled(&txn);
        replay.each(|table, key, value| rows.change(table, key, value).map(|_| ()))?;
        drop(rows);
        self.end(txn)
    }
}

/// The beginning of the file.
fn head(salt: u64) -> Vec<u8> {
    [&MAGIC[..], &salt.to_be_bytes()].concat()
}

fn row() -> Key {
    Key::new().text(ROW)
}

/// The rows of a transaction that needs no entry.
fn unjournalled(txn: &Transaction) -> WriteTx<'_> {
    WriteTx::new(txn.tables(), Changes::new(false))
}

/// Writes zeros, so that the file has its length and its place on the disk before it is used.
fn fill(media: &dyn StorageBackend, from: u64, to: u64) -> std::io::Result<()> {
    const PIECE: u64 = 1 << 20;
    let zeros = vec![0; usize::try_from(PIECE.min(to - from)).unwrap_or(0)];
    let mut at = from;
    while at < to {
        let piece = zeros.get(..usize::try_from(to - at).unwrap_or(usize::MAX)).unwrap_or(&zeros);
        // A simulated disk grows only when it is told to.
        media.set_len(at + piece.len() as u64)?;
        media.write(at, piece)?;
        at += piece.len() as u64;
    }
    media.sync_data()
}
