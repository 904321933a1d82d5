//! The database below the engine's face: get, range, put, remove, in a snapshot or a transaction. The only file that
//! names redb; another engine would be another file like this one.

mod barrier;

use std::cell::OnceCell;
use std::fs::OpenOptions;
use std::io;
use std::ops::{Bound, ControlFlow};
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

pub(crate) use redb::StorageBackend;
use redb::backends::FileBackend;
use redb::{
    DatabaseError, Durability, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable,
    ReadableTableMetadata, StorageError, TableDefinition, WriteTransaction,
};

use super::Error;
use super::tables::Table;
use barrier::{Barrier, When};

type Bytes = &'static [u8];
/// A range of keys.
pub(super) type Range<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);
/// Looks at one row and says whether to go on.
pub(super) type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Error> + 'a;

/// Which way a range is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Forward,
    Backward,
}

impl Table {
    const fn definition(self) -> TableDefinition<'static, Bytes, Bytes> {
        TableDefinition::new(self.name())
    }
}

/// An opened database.
pub(super) struct Backend {
    db: redb::Database,
    file: Barrier,
}

impl Backend {
    /// Opens the file `path` of the data directory `dir`, which must be there.
    pub(super) fn open(dir: &Path, path: &Path, cache: usize) -> Result<Self, Error> {
        let damaged = |why: &str| Error::Damaged { dir: dir.to_owned(), why: why.to_owned() };
        let file = file_backend(path, false)?;
        if file.len().map_err(Error::Database)? == 0 {
            return Err(damaged("its file is empty"));
        }
        let file = Barrier::new(file, When::AtOnce);
        // Some damage makes redb panic rather than say so.
        let opened = catch_unwind(AssertUnwindSafe(|| Self::opened(file, cache)));
        let opened = opened.map_err(|_| damaged("reading it panicked"))?;
        opened.map_err(|error| unopened(dir, error))
    }

    /// Creates the file `path`, which is not there.
    pub(super) fn create(path: &Path, cache: usize) -> Result<Self, Error> {
        let file = file_backend(path, true)?;
        Ok(Self::opened(Barrier::new(file, When::AtOnce), cache)?)
    }

    /// Opens or creates a database that is kept by something else than a file.
    pub(super) fn on(backend: impl StorageBackend, cache: usize) -> Result<Self, Error> {
        Ok(Self::opened(Barrier::new(backend, When::AtLast), cache)?)
    }

    fn opened(file: Barrier, cache: usize) -> Result<Self, DatabaseError> {
        let mut builder = redb::Database::builder();
        let db = builder.set_cache_size(cache).create_with_backend(file.clone())?;
        Ok(Self { db, file })
    }

    pub(super) fn in_memory(cache: usize) -> Result<Self, Error> {
        Self::on(redb::backends::InMemoryBackend::new(), cache)
    }

    pub(super) fn snapshot(&self) -> Result<Snapshot, Error> {
        Ok(Snapshot { txn: self.db.begin_read()?, open: Opened::default() })
    }

    pub(super) fn begin(&self) -> Result<Transaction, Error> {
        let file = self.file.clone();
        let mut txn = self.db.begin_write().map_err(|error| caused(&file, error))?;
        // Each durable commit says which pages are free. After a crash all pages would have to be read to know that.
        txn.set_quick_repair(true);
        Ok(Transaction { txn, file })
    }

    /// Whether there is no table at all.
    pub(super) fn is_empty(&self) -> Result<bool, Error> {
        Ok(self.db.begin_read()?.list_tables()?.next().is_none())
    }

    /// Whether the list of free pages is whole; rebuilds it when it is not.
    pub(super) fn check_integrity(&mut self, dir: &Path) -> Result<bool, Error> {
        self.db.check_integrity().map_err(|error| unopened(dir, error))
    }

    /// Whether a checkpoint is under way.
    pub(super) fn is_unsettled(&self) -> bool {
        self.file.is_unsettled()
    }

    /// How long the disk took for the last checkpoint, once it is noticed that it has ended, and then told once.
    pub(super) fn checkpoint_took(&self) -> Option<Duration> {
        self.file.took()
    }

    /// Gives space that no row needs back to the file system.
    pub(super) fn compact(&mut self) -> Result<(), Error> {
        while self.db.compact()? {}
        Ok(())
    }

    pub(super) fn close(self) -> Result<(), Error> {
        Ok(self.db.close()?)
    }
}

/// A file that only its owner may read, made if `create` and it is not there.
pub(super) fn file_backend(path: &Path, create: bool) -> Result<FileBackend, Error> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(create).truncate(false).mode(0o600).open(path);
    let file = file.map_err(|source| Error::file(path, source))?;
    Ok(FileBackend::new(file)?)
}

fn unopened(dir: &Path, error: DatabaseError) -> Error {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    let damaged = |why: String| Error::Damaged { dir: dir.to_owned(), why };
    match error {
        DatabaseError::DatabaseAlreadyOpen => Error::Locked(dir.to_owned()),
        DatabaseError::Storage(StorageError::Corrupted(why)) => damaged(why),
        DatabaseError::Storage(StorageError::Io(error))
            if matches!(error.kind(), InvalidData | UnexpectedEof) =>
        {
            damaged(error.to_string())
        }
        error @ (DatabaseError::RepairAborted | DatabaseError::UpgradeRequired(_)) => {
            damaged(error.to_string())
        }
        other => other.into(),
    }
}

/// Reading rows.
pub(super) trait Source {
    /// Shows the value at `key` to `read`.
    fn get(&self, table: Table, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<(), Error>;

    /// Shows the rows of a range to `visit` until it breaks.
    fn range(
        &self,
        table: Table,
        range: Range<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error>;

    /// How many rows a table has, without reading them.
    fn count(&self, table: Table) -> Result<u64, Error>;
}

/// The tables of a transaction, each opened when it is first used.
struct Opened<T>([OnceCell<T>; Table::COUNT]);

impl<T> Default for Opened<T> {
    fn default() -> Self {
        Self([const { OnceCell::new() }; Table::COUNT])
    }
}

impl<T> Opened<T> {
    fn get(
        &self,
        table: Table,
        open: impl FnOnce() -> Result<T, redb::TableError>,
    ) -> Result<&T, Error> {
        let cell = &self.0[table as usize];
        if cell.get().is_none() {
            let _ = cell.set(open()?);
        }
        cell.get().ok_or(Error::Closed)
    }
}

/// What was committed when it was taken.
pub(super) struct Snapshot {
    txn: ReadTransaction,
    open: Opened<ReadOnlyTable<Bytes, Bytes>>,
}

impl Snapshot {
    fn table(&self, table: Table) -> Result<&ReadOnlyTable<Bytes, Bytes>, Error> {
        self.open.get(table, || self.txn.open_table(table.definition()))
    }
}

impl Source for Snapshot {
    fn get(&self, table: Table, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<(), Error> {
        get(self.table(table)?, key, read)
    }

    fn range(
        &self,
        table: Table,
        range: Range<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        each(self.table(table)?, range, direction, visit)
    }

    fn count(&self, table: Table) -> Result<u64, Error> {
        Ok(self.table(table)?.len()?)
    }
}

/// A write that is under way; nothing of it stays when it is dropped.
pub(super) struct Transaction {
    txn: WriteTransaction,
    file: Barrier,
}

impl Transaction {
    pub(super) fn tables(&self) -> Tables<'_> {
        Tables { txn: &self.txn, open: Opened::default() }
    }

    /// Makes everything durable, and what was committed in memory before.
    pub(super) fn commit(self) -> Result<(), Error> {
        self.txn.commit().map_err(|error| caused(&self.file, error))
    }

    /// Begins to make everything durable, and what was committed in memory before. The next commit of this kind, or
    /// [`Transaction::settle`], waits until that is done.
    pub(super) fn commit_deferred(self) -> Result<(), Error> {
        self.file.defer();
        let done = self.txn.commit();
        self.file.no_longer_defer();
        done.map_err(|error| caused(&self.file, error))
    }

    /// Shows everything to readers, but leaves it to a later commit to make it durable.
    pub(super) fn commit_in_memory(mut self) -> Result<(), Error> {
        self.txn.set_durability(Durability::None).map_err(redb::Error::from)?;
        self.txn.commit().map_err(|error| caused(&self.file, error))
    }

    /// Waits for the commit that was deferred last.
    pub(super) fn settle(&self) -> Result<(), Error> {
        self.file.settle().map_err(Error::Database)
    }

    pub(super) fn abort(self) -> Result<(), Error> {
        self.txn.abort().map_err(|error| caused(&self.file, error))
    }
}

/// `error`, or what it follows from: once something has failed, the database only says so.
fn caused(file: &Barrier, error: impl Into<redb::Error>) -> Error {
    match (error.into(), file.failure()) {
        (redb::Error::PreviousIo, Some(first)) => Error::Database(first),
        (error, _) => error.into(),
    }
}

/// The tables of a write, which see what it has written so far.
pub(super) struct Tables<'t> {
    txn: &'t WriteTransaction,
    open: Opened<redb::Table<'t, Bytes, Bytes>>,
}

impl<'t> Tables<'t> {
    fn table(&self, table: Table) -> Result<&redb::Table<'t, Bytes, Bytes>, Error> {
        self.open.get(table, || self.txn.open_table(table.definition()))
    }

    fn table_mut(&mut self, table: Table) -> Result<&mut redb::Table<'t, Bytes, Bytes>, Error> {
        self.table(table)?;
        self.open.0[table as usize].get_mut().ok_or(Error::Closed)
    }

    /// Creates a table, unless it is there.
    pub(super) fn create(&mut self, table: Table) -> Result<(), Error> {
        self.table(table).map(|_| ())
    }

    pub(super) fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.table_mut(table)?.insert(key, value)?;
        Ok(())
    }

    /// Removes a row and says whether there was one.
    pub(super) fn remove(&mut self, table: Table, key: &[u8]) -> Result<bool, Error> {
        Ok(self.table_mut(table)?.remove(key)?.is_some())
    }

    /// Removes all rows of a table without reading them, because they may be damaged.
    pub(super) fn clear(&mut self, table: Table) -> Result<(), Error> {
        self.open.0[table as usize].take();
        self.txn.delete_table(table.definition())?;
        Ok(())
    }
}

impl Source for Tables<'_> {
    fn get(&self, table: Table, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<(), Error> {
        get(self.table(table)?, key, read)
    }

    fn range(
        &self,
        table: Table,
        range: Range<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        each(self.table(table)?, range, direction, visit)
    }

    fn count(&self, table: Table) -> Result<u64, Error> {
        Ok(self.table(table)?.len()?)
    }
}

fn get(
    table: &impl ReadableTable<Bytes, Bytes>,
    key: &[u8],
    read: &mut dyn FnMut(&[u8]),
) -> Result<(), Error> {
    if let Some(value) = table.get(key)? {
        read(value.value());
    }
    Ok(())
}

fn each(
    table: &impl ReadableTable<Bytes, Bytes>,
    range: Range<'_>,
    direction: Direction,
    visit: &mut Visit<'_>,
) -> Result<(), Error> {
    let mut rows = table.range::<&[u8]>(range)?;
    while let Some(row) = match direction {
        Direction::Forward => rows.next(),
        Direction::Backward => rows.next_back(),
    } {
        let (key, value) = row?;
        if visit(key.value(), value.value())?.is_break() {
            break;
        }
    }
    Ok(())
}

impl From<redb::Error> for Error {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Corrupted(why) => Self::Corrupt(why),
            redb::Error::Io(source) => Self::Database(source),
            other => Self::Database(io::Error::other(other)),
        }
    }
}

macro_rules! from_redb {
    ($($error:ident),*) => {
        $(impl From<redb::$error> for Error {
            fn from(error: redb::$error) -> Self {
                redb::Error::from(error).into()
            }
        })*
    };
}
from_redb!(DatabaseError, StorageError, TableError, TransactionError, CommitError, CompactionError);
