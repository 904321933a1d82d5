//! The database of a data directory: made aside, opened, and refused when it is damaged. The only way to its rows.

use std::path::Path;

use super::backend::{self, Backend, StorageBackend};
use super::disk::{partial, restrict_mode, sync_dir};
use super::read::ReadTx;
use super::write::WriteTx;
use super::{DATABASE, Error};

/// Page cache of a database that is only filled or looked at, bytes.
pub(crate) const CACHE: usize = 64 << 20;

/// An opened database.
pub(crate) struct Database(Backend);

impl Database {
    /// Opens the database of a data directory, which must be there.
    pub(crate) fn open(dir: &Path, cache: usize) -> Result<Self, Error> {
        let path = dir.join(DATABASE);
        if !path.exists() {
            return Err(Error::NoData(dir.to_owned()));
        }
        Backend::open(dir, &path, cache).map(Self)
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
        Ok(Self(db))
    }

    /// Closes a database that was created and gives it its name.
    pub(crate) fn put_in_place(self, dir: &Path) -> Result<(), Error> {
        self.close()?;
        let to = dir.join(DATABASE);
        let from = partial(&to);
        std::fs::rename(&from, &to).map_err(|source| Error::file(from, source))?;
        sync_dir(dir)
    }

    /// Opens or creates a database on a backend of the caller's.
    pub(crate) fn on(backend: impl StorageBackend, cache: usize) -> Result<Self, Error> {
        Backend::on(backend, cache).map(Self)
    }

    /// An empty database in memory.
    pub(crate) fn in_memory(cache: usize) -> Result<Self, Error> {
        Backend::in_memory(cache).map(Self)
    }

    /// Whether nothing was ever written to it.
    pub(crate) fn is_empty(&self) -> Result<bool, Error> {
        self.0.is_empty()
    }

    /// What is committed now.
    pub(crate) fn snapshot(&self) -> Result<ReadTx, Error> {
        self.0.snapshot().map(ReadTx::new)
    }

    /// Begins a write. There is one at a time; a second one waits.
    pub(crate) fn begin(&self) -> Result<Transaction, Error> {
        self.0.begin().map(Transaction)
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
        self.0.check_integrity(dir)
    }

    /// Gives space that no row needs back to the file system.
    pub(crate) fn compact(&mut self) -> Result<(), Error> {
        self.0.compact()
    }

    /// Closes the database, so that the next start needs no repair.
    pub(crate) fn close(self) -> Result<(), Error> {
        self.0.close()
    }
}

/// A write that is under way; nothing of it stays when it is dropped.
pub(crate) struct Transaction(backend::Transaction);

impl Transaction {
    /// The rows, with what was written so far.
    pub(crate) fn rows(&self) -> WriteTx<'_> {
        WriteTx::new(self.0.tables())
    }

    /// Makes everything durable.
    pub(crate) fn commit(self) -> Result<(), Error> {
        self.0.commit()
    }

    /// Undoes everything.
    pub(crate) fn abort(self) -> Result<(), Error> {
        self.0.abort()
    }
}
