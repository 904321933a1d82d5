//! What is kept: one redb database and the files of blobs beside it. The only module that names redb.
//!
//! [`ReadTx`] and [`WriteTx`] speak the domain; tables, keys and bytes stay in here. Each noun has a file with what can
//! be read ([`JobReads`] and its like, for snapshots and writes alike) and what can be written (`impl WriteTx`).

mod agent;
pub mod backup;
mod blob;
pub mod check;
mod client;
mod codec;
mod expiry;
mod history;
mod index;
mod job;
mod key;
mod log;
mod parked;
mod queue;
mod record;
mod result;
mod rows;
mod schema;
mod tables;
mod wait;
mod writer;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, PoisonError, RwLock};

use redb::{Database, DatabaseError, ReadableDatabase, StorageError};

pub use agent::{Agent, AgentPost, AgentReads, Provision};
pub(crate) use blob::create_private;
pub use blob::{Blob, BlobDir, BlobKind, BlobName, BlobReads, Upload};
pub use client::{Client, ClientReads, Refresh};
pub use expiry::{Ages, Swept};
pub use history::{Actor, Event, HistoryReads, Subject};
pub use job::{Ask, Job, JobReads, Listed};
pub use log::{Fragment, FragmentRow, Log, LogReads};
pub use queue::{Advertised, QueueReads};
pub use result::{CHUNK, Member, ResultReads};
pub use rows::{ReadTx, WriteTx};
pub use wait::WaitReads;
pub use writer::{OnFatal, Wait};

use crate::domain::{Clock, Timestamp};

/// The database's file in the data directory.
pub const DATABASE: &str = "testflinger.redb";
/// The database while it is made.
const NEW_DATABASE: &str = "testflinger.redb.partial";
/// The folder of blobs in the data directory.
pub const BLOBS: &str = "blobs";
/// The folder of keys in the data directory.
pub const KEYS: &str = "keys";
/// Page cache of a database that is only looked at, bytes.
const CHECK_CACHE: usize = 64 << 20;

/// Why the store could not do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process (or another server in this one) has the data directory.
    #[error("{0} is in use by another server")]
    Locked(PathBuf),
    /// The data was written by a newer program.
    #[error(
        "the data has schema version {found}, this program knows up to {known}: install the newer version again"
    )]
    Newer {
        /// The version in the database.
        found: u64,
        /// The newest version that this program knows.
        known: u64,
    },
    /// The data was written by an older program, and only a start of this one upgrades it.
    #[error(
        "the data has schema version {found}; the next start makes it version {known}: check it then"
    )]
    Older {
        /// The version in the database.
        found: u64,
        /// The version that this program writes.
        known: u64,
    },
    /// There are blobs, but the database is gone.
    #[error(
        "{0} is missing, but there are files under blobs: an empty database is not created beside them"
    )]
    Missing(PathBuf),
    /// There is no database.
    #[error("there is no data in {0}: give --data-dir")]
    NoData(PathBuf),
    /// The database cannot be opened.
    #[error(
        "the database in {dir} is damaged ({why}): restore a backup with: \
         testflinger-server restore BACKUP --replace --data-dir {dir}"
    )]
    Damaged {
        /// The data directory.
        dir: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// There is not enough space.
    #[error("{path}: {needed} bytes are needed and {free} are free")]
    Space {
        /// Where.
        path: PathBuf,
        /// Bytes.
        needed: u64,
        /// Bytes.
        free: u64,
    },
    /// A row is not what it must be.
    #[error("the database is damaged: {0}")]
    Corrupt(String),
    /// A record cannot be encoded.
    #[error("a record cannot be stored: {0}")]
    Encode(String),
    /// The disk or the database refused.
    #[error("the database failed: {0}")]
    Database(#[from] redb::Error),
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Too many writes are waiting.
    #[error("too many writes are waiting")]
    Busy,
    /// The store is shutting down.
    #[error("the server is stopping")]
    Closed,
    /// The commit failed; what was asked for may or may not be on disk.
    #[error("the write failed and the server is stopping")]
    Lost,
    /// The operation panicked; nothing of it was written.
    #[error("an operation panicked")]
    Panicked,
}

impl Error {
    /// The disk is full.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        let full = |error: &std::io::Error| error.kind() == std::io::ErrorKind::StorageFull;
        match self {
            Self::File { source, .. } | Self::Database(redb::Error::Io(source)) => full(source),
            Self::Space { .. } => true,
            _ => false,
        }
    }

    pub(crate) fn file(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::File { path: path.into(), source }
    }
}

macro_rules! from_redb {
    ($($error:ident),*) => {
        $(impl From<redb::$error> for Error {
            fn from(error: redb::$error) -> Self {
                Self::Database(error.into())
            }
        })*
    };
}
from_redb!(StorageError, TableError, TransactionError, CommitError);

/// The opened store.
pub struct Store {
    // `None` once closed. Readers take a read lock for the moment in which they begin a transaction.
    db: RwLock<Option<Arc<Database>>>,
    writer: writer::Writer,
    blobs: BlobDir,
    // `None` for one in memory.
    dir: Option<PathBuf>,
}

/// How to open a store.
pub struct Options {
    /// Bytes of redb's page cache.
    pub cache: usize,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Called when a commit failed, after all callers have been told.
    pub on_fatal: OnFatal,
}

impl Store {
    /// Opens the store in the data directory `dir`, which exists; creates what is missing. Data of an older program is
    /// upgraded, and its database kept beside the new one.
    ///
    /// # Errors
    /// [`Error::Locked`] while another server has it, [`Error::Newer`], [`Error::Missing`], [`Error::Damaged`], or what
    /// the disk says.
    pub fn open(dir: &Path, options: Options) -> Result<Self, Error> {
        let path = dir.join(DATABASE);
        let blobs = BlobDir::new(dir.join(BLOBS));
        if !path.exists() && blobs.has_files()? {
            return Err(Error::Missing(path));
        }
        blobs.create()?;
        if !path.exists() {
            let db = create_database(dir)?;
            schema::create(&db)?;
            db.close().map_err(|error| Error::Database(error.into()))?;
            name_database(dir)?;
        }
        let cache = options.cache;
        let opened = Self::upgraded(dir, cache).and_then(|db| Self::start(db, blobs, options));
        let mut store = opened.map_err(|error| match error {
            Error::Corrupt(why) => Error::Damaged { dir: dir.to_owned(), why },
            other => other,
        })?;
        store.dir = Some(dir.to_owned());
        // A restore that ended between its last two steps leaves it; there is nothing left to do.
        let _ = std::fs::remove_file(dir.join(backup::MARKER));
        Ok(store)
    }

    fn upgraded(dir: &Path, cache: usize) -> Result<Database, Error> {
        let db = open_database(dir, cache)?;
        let Some(version) = schema::older(&db)? else {
            return Ok(db);
        };
        db.close().map_err(|error| Error::Database(error.into()))?;
        let copy = schema::keep_copy(dir, version)?;
        let copy = copy.display();
        tracing::info!("upgrading the data from schema version {version}; it stays in {copy}");
        let db = open_database(dir, cache)?;
        schema::upgrade(&db)?;
        Ok(db)
    }

    /// A store on a backend of the caller's (memory, or one that fails on purpose); blobs go to `blobs`.
    ///
    /// # Errors
    /// What the backend says.
    pub fn with_backend(
        backend: impl redb::StorageBackend,
        blobs: &Path,
        options: Options,
    ) -> Result<Self, Error> {
        let blobs = BlobDir::new(blobs.to_owned());
        blobs.create()?;
        let db = Database::builder()
            .set_cache_size(options.cache)
            .create_with_backend(backend)
            .map_err(|error| Error::Database(error.into()))?;
        if db.begin_read()?.list_tables()?.next().is_none() {
            schema::create(&db)?;
        }
        Self::start(db, blobs, options)
    }

    /// A store in memory, for tests and benchmarks; blobs go to `blobs`.
    ///
    /// # Errors
    /// Only for what cannot be created under `blobs`.
    pub fn in_memory(blobs: &Path, options: Options) -> Result<Self, Error> {
        Self::with_backend(redb::backends::InMemoryBackend::new(), blobs, options)
    }

    fn start(db: Database, blobs: BlobDir, options: Options) -> Result<Self, Error> {
        let db = Arc::new(db);
        let writer =
            writer::Writer::start(Arc::clone(&db), blobs.clone(), options.clock, options.on_fatal)
                .map_err(|source| Error::file("writer thread", source))?;
        let store = Self { db: RwLock::new(Some(db)), writer, blobs, dir: None };
        store.remove_strays()?;
        Ok(store)
    }

    /// A snapshot of what is committed now.
    ///
    /// # Errors
    /// [`Error::Closed`] after [`Store::close`], or what the disk says.
    pub fn read(&self) -> Result<ReadTx, Error> {
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        let db = db.as_ref().ok_or(Error::Closed)?;
        Ok(ReadTx::new(db.begin_read()?))
    }

    /// Hands an operation to the writer. `reply` is called on the writer's thread once the outcome is on disk, and must
    /// be short. `run` decides before its first write, and may be run again after its writes were rolled back.
    pub fn submit<T, E>(
        &self,
        run: impl FnMut(&mut WriteTx<'_>, Timestamp) -> Result<T, E> + Send + 'static,
        reply: impl FnOnce(Result<T, E>) + Send + 'static,
    ) where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.writer.submit(run, reply);
    }

    /// [`Store::submit`] for an operation that waits while it finds nothing: it is run again in the transaction in which
    /// a job became claimable in one of the queues of `wait`.
    pub fn submit_waiting<T, E>(
        &self,
        run: impl FnMut(&mut WriteTx<'_>, Timestamp) -> Result<Option<T>, E> + Send + 'static,
        wait: Wait,
        reply: impl FnOnce(Result<Option<T>, E>) + Send + 'static,
    ) where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.writer.submit_waiting(run, wait, reply);
    }

    /// [`Store::submit`] for callers that may block.
    ///
    /// # Errors
    /// What `run` says, or why it could not be made durable.
    pub fn write<T, E>(
        &self,
        run: impl FnMut(&mut WriteTx<'_>, Timestamp) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (sender, receiver) = sync_channel(1);
        self.submit(run, move |outcome| {
            // The receiver waits below, so it is there.
            let _ = sender.send(outcome);
        });
        receiver.recv().unwrap_or_else(|_| Err(Error::Closed.into()))
    }

    /// The database's own name.
    ///
    /// # Errors
    /// What the disk says.
    pub fn instance(&self) -> Result<String, Error> {
        schema::instance(&self.read()?)
    }

    /// The data directory, unless it is in memory.
    fn dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }

    /// Where blobs are written and read.
    #[must_use]
    pub const fn blobs(&self) -> &BlobDir {
        &self.blobs
    }

    /// Finishes the writes that wait and closes the database, so that the next start needs no repair.
    ///
    /// # Errors
    /// What the disk says while the last state is written.
    pub fn close(&self) -> Result<(), Error> {
        self.writer.stop();
        let db = self.db.write().unwrap_or_else(PoisonError::into_inner).take();
        // A reader that is still under way keeps the database; it then closes when that reader ends.
        if let Some(db) = db.and_then(Arc::into_inner) {
            db.close().map_err(|error| Error::Database(error.into()))?;
        }
        Ok(())
    }

    /// Removes what a crash left among the blobs: partial files, and files whose row never became durable.
    fn remove_strays(&self) -> Result<(), Error> {
        let tx = self.read()?;
        let named = tx.blob_names()?;
        let removed = self.blobs.remove_strays(&named)?;
        if removed > 0 {
            tracing::info!(removed, "removed files of uploads that never finished");
        }
        Ok(())
    }
}

/// Opens the database of a data directory, which must be there.
fn open_database(dir: &Path, cache: usize) -> Result<Database, Error> {
    let path = dir.join(DATABASE);
    if !path.exists() {
        return Err(Error::NoData(dir.to_owned()));
    }
    let mut builder = Database::builder();
    builder.set_cache_size(cache);
    // Some damage makes redb panic rather than say so.
    let opened = catch_unwind(AssertUnwindSafe(|| builder.open(&path))).map_err(|_| {
        Error::Damaged { dir: dir.to_owned(), why: "reading it panicked".to_owned() }
    })?;
    opened.map_err(|error| unopened(dir, error))
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
        other => Error::Database(other.into()),
    }
}

/// Creates an empty database aside: [`name_database`] makes it the one that is opened. One that a crash left half made
/// would pass for a damaged one.
fn create_database(dir: &Path) -> Result<Database, Error> {
    let path = dir.join(NEW_DATABASE);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::file(path, error));
        }
        _ => {}
    }
    let mut builder = Database::builder();
    builder.set_cache_size(CHECK_CACHE);
    let db = builder.create(&path).map_err(|error| Error::Database(error.into()))?;
    restrict_mode(&path)?;
    Ok(db)
}

/// Gives a database that was created its name, once it is closed.
fn name_database(dir: &Path) -> Result<(), Error> {
    let (from, to) = (dir.join(NEW_DATABASE), dir.join(DATABASE));
    std::fs::rename(&from, &to).map_err(|source| Error::file(from, source))?;
    sync_dir(dir)
}

/// Whether so many bytes are free.
fn check_room(folder: &Path, needed: u64) -> Result<(), Error> {
    let stat = rustix::fs::statvfs(folder).map_err(|error| Error::file(folder, error.into()))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free < needed {
        return Err(Error::Space { path: folder.to_owned(), needed, free });
    }
    Ok(())
}

/// Gives what root has made in a data directory to the directory's owner: a server that runs as somebody else could not
/// open it. Blobs are not looked at; nothing but a server makes those, and a restore has its own way.
///
/// # Errors
/// What the system says.
pub fn give_to_owner(dir: &Path) -> Result<(), Error> {
    use std::os::unix::fs::{MetadataExt, lchown};
    let failed = |source| Error::file(dir, source);
    let owner = std::fs::metadata(dir).map_err(failed)?;
    if !rustix::process::geteuid().is_root() || owner.uid() == 0 {
        return Ok(());
    }
    for folder in [dir, &dir.join(KEYS)].into_iter().filter(|folder| folder.exists()) {
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            lchown(path, Some(owner.uid()), Some(owner.gid())).map_err(failed)?;
        }
    }
    Ok(())
}

/// Takes all rights on a file from everybody but its owner.
pub(crate) fn restrict_mode(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .map_err(|source| Error::file(path, source))
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), Error> {
    std::fs::File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(|source| Error::file(dir, source))
}
