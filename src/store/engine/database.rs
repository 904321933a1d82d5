//! The database of a data directory: made aside, opened, and refused when it is damaged. The only way to its rows.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::backend::{self, Backend, StorageBackend};
use super::disk::{partial, restrict_mode, sync_dir};
use super::journal::{self, Changes, Journal, Replay};
use super::meta::{self, meta};
use super::read::ReadTx;
use super::rows::Rows;
use super::write::WriteTx;
use super::{DATABASE, Error, Table};
use crate::domain::Timestamp;

/// Page cache of a database that is only filled or looked at, bytes.
pub(crate) const CACHE: usize = 64 << 20;

/// An opened database.
pub(crate) struct Database {
    backend: Backend,
    /// Without one, every commit is durable by itself.
    journal: Option<Shared>,
    taken_over: Option<String>,
}

type Shared = Arc<Mutex<Journal>>;

impl Database {
    /// Opens the database of a data directory, which must be there, with all that its journal holds. `known` is the
    /// newest schema version that the caller understands.
    pub(crate) fn open(dir: &Path, cache: usize, known: u64) -> Result<Self, Error> {
        let backend = Self::backend(dir, cache)?;
        // Some damage makes redb panic rather than say so, here and below.
        let open = || Self::replayed(backend, Journal::of(dir), known);
        let damaged = |why: &str| Error::Damaged { dir: dir.to_owned(), why: why.to_owned() };
        match catch_unwind(AssertUnwindSafe(open)) {
            Ok(Err(Error::Corrupt(why))) => Err(damaged(&why)),
            Ok(opened) => opened,
            Err(_) => Err(damaged("taking over what the journal holds panicked")),
        }
    }

    /// Opens a database that may be damaged, as its journal may be, and leaves both as they are: what the journal has
    /// beyond the database is given beside it.
    pub(crate) fn open_damaged(dir: &Path, cache: usize) -> Result<(Self, Replay), Error> {
        let backend = Self::backend(dir, cache)?;
        let row = || ReadTx::new(backend.snapshot()?).get(Table::Meta, &meta(journal::ROW));
        let replay = match catch_unwind(AssertUnwindSafe(row)) {
            Ok(Ok(None)) => Replay::default(),
            Ok(Ok(Some(row))) => Journal::of(dir).read(&row).unwrap_or_else(|error| {
                Replay::without(match error {
                    Error::Corrupt(why) => why,
                    other => format!("the journal cannot be read: {other}"),
                })
            }),
            Ok(Err(_)) | Err(_) => Replay::without(
                "the row about the journal is damaged, so what it has beyond the database is not \
                 known"
                    .to_owned(),
            ),
        };
        Ok((Self { backend, journal: None, taken_over: None }, replay))
    }

    fn backend(dir: &Path, cache: usize) -> Result<Backend, Error> {
        let path = dir.join(DATABASE);
        if !path.exists() {
            return Err(Error::NoData(dir.to_owned()));
        }
        Backend::open(dir, &path, cache)
    }

    fn replayed(backend: Backend, mut journal: Journal, known: u64) -> Result<Self, Error> {
        let mut taken_over = None;
        if !backend.is_empty()? {
            let tx = ReadTx::new(backend.snapshot()?);
            match meta::schema(&tx)? {
                Some((found, _)) if found > known => return Err(Error::Newer { found, known }),
                _ => {}
            }
            if let Some(row) = tx.get(Table::Meta, &meta(journal::ROW))? {
                drop(tx);
                let replay = journal.read(&row)?.whole()?;
                journal.take_over(&replay, backend.begin()?)?;
                taken_over = replay.sentence();
                tracing::info!(found = taken_over, "read the journal of a server that was killed");
            }
        }
        let journal = Some(Arc::new(Mutex::new(journal)));
        Ok(Self { backend, journal, taken_over })
    }

    /// What opening it has taken over from the journal, in a sentence.
    pub(crate) fn taken_over(&self) -> Option<String> {
        self.taken_over.clone()
    }

    /// Creates an empty database aside: [`Database::put_in_place`] makes it the one that is opened. One that a crash
    /// left half made would pass for a damaged one.
    pub(crate) fn create(dir: &Path) -> Result<Self, Error> {
        let path = partial(&dir.join(DATABASE));
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::file(path, error));
            }
            _ => {}
        }
        let db = Backend::create(&path, CACHE)?;
        restrict_mode(&path)?;
        Ok(Self { backend: db, journal: None, taken_over: None })
    }

    /// Closes a database that was created and gives it its name.
    pub(crate) fn put_in_place(self, dir: &Path) -> Result<(), Error> {
        self.close()?;
        let to = dir.join(DATABASE);
        let from = partial(&to);
        std::fs::rename(&from, &to).map_err(|source| Error::file(from, source))?;
        sync_dir(dir)
    }

    /// Opens or creates a database on a backend of the caller's, and its journal on another one.
    pub(crate) fn on(
        database: impl StorageBackend,
        journal: impl StorageBackend,
        cache: usize,
    ) -> Result<Self, Error> {
        Self::replayed(Backend::on(database, cache)?, Journal::on(journal), u64::MAX)
    }

    /// An empty database in memory.
    pub(crate) fn in_memory(cache: usize) -> Result<Self, Error> {
        Ok(Self { backend: Backend::in_memory(cache)?, journal: None, taken_over: None })
    }

    /// Whether nothing was ever written to it.
    pub(crate) fn is_empty(&self) -> Result<bool, Error> {
        self.backend.is_empty()
    }

    /// What is committed now.
    pub(crate) fn snapshot(&self) -> Result<ReadTx, Error> {
        self.backend.snapshot().map(ReadTx::new)
    }

    /// Begins a write. There is one at a time; a second one waits.
    pub(crate) fn begin(&self) -> Result<Transaction, Error> {
        Ok(Transaction { txn: self.backend.begin()?, journal: self.journal.clone() })
    }

    /// Runs `write` in a transaction of its own, which is durable when this returns, or undone when it fails.
    pub(crate) fn write<T>(
        &self,
        write: impl FnOnce(&mut WriteTx<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let txn = self.begin()?;
        let done = write(&mut txn.rows())?;
        txn.commit()?;
        Ok(done)
    }

    /// Whether the list of free pages is whole; rebuilds it when it is not.
    pub(crate) fn check_integrity(&mut self, dir: &Path) -> Result<bool, Error> {
        self.backend.check_integrity(dir)
    }

    /// Gives space that no row needs back to the file system.
    pub(crate) fn compact(&mut self) -> Result<(), Error> {
        self.backend.compact()
    }

    /// Whether something is durable in the journal only, as far as anybody has been told.
    pub(crate) fn needs_checkpoint(&self) -> bool {
        self.backend.is_unsettled() || self.journal().is_some_and(|journal| journal.is_ahead())
    }

    /// Begins to make durable here what the journal holds, or waits until that is done.
    pub(crate) fn checkpoint(&self) -> Result<(), Error> {
        let txn = self.backend.begin()?;
        match self.journal() {
            Some(mut journal) if journal.is_ahead() => journal.checkpoint_deferred(txn),
            _ => txn.settle(),
        }
    }

    /// How long the disk took for the last checkpoint, once it is noticed that it has ended, and then told once.
    pub(super) fn checkpoint_took(&self) -> Option<Duration> {
        self.backend.checkpoint_took()
    }

    fn journal(&self) -> Option<MutexGuard<'_, Journal>> {
        self.journal.as_ref().map(lock)
    }

    /// Closes the database, so that the next start needs neither a repair nor the journal.
    pub(crate) fn close(self) -> Result<(), Error> {
        if let Some(mut journal) = self.journal()
            && journal.is_running()
        {
            journal.end(self.backend.begin()?)?;
        }
        self.backend.close()
    }
}

fn lock(journal: &Shared) -> MutexGuard<'_, Journal> {
    journal.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A write that is under way; nothing of it stays when it is dropped.
pub(crate) struct Transaction {
    txn: backend::Transaction,
    journal: Option<Shared>,
}

impl Transaction {
    /// The rows, with what was written so far.
    pub(crate) fn rows(&self) -> WriteTx<'_> {
        WriteTx::new(self.txn.tables(), Changes::new(self.journal.is_some()))
    }

    /// Makes everything durable, in the database itself.
    pub(crate) fn commit(self) -> Result<(), Error> {
        match &self.journal {
            Some(journal) => lock(journal).checkpoint(self.txn),
            None => self.txn.commit(),
        }
    }

    /// Makes durable what the writer changed, wherever that is done soonest. Gives the bytes that the journal took.
    pub(super) fn commit_batch(self, changes: Changes, now: Timestamp) -> Result<u64, Error> {
        match &self.journal {
            Some(journal) => lock(journal).commit(self.txn, changes, now),
            None => self.txn.commit().map(|()| 0),
        }
    }

    /// Undoes everything.
    pub(crate) fn abort(self) -> Result<(), Error> {
        self.txn.abort()
    }
}
