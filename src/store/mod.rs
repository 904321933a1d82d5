//! What is kept: one redb database and the files of blobs beside it. The only module that names redb.
//!
//! [`ReadTx`] and [`WriteTx`] speak the domain; tables, keys and bytes stay in here. Each noun has a file with what can
//! be read ([`JobReads`] and its like, for snapshots and writes alike) and what can be written (`impl WriteTx`).

mod agent;
mod blob;
mod client;
mod codec;
mod expiry;
mod history;
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

use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, PoisonError, RwLock};

use redb::{Database, DatabaseError, ReadableDatabase};

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
/// The folder of blobs in the data directory.
pub const BLOBS: &str = "blobs";

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
    /// There are blobs, but the database is gone.
    #[error(
        "{0} is missing, but there are files under blobs: an empty database is not created beside them"
    )]
    Missing(PathBuf),
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
    /// Opens the store in the data directory `dir`, which exists; creates what is missing.
    ///
    /// # Errors
    /// [`Error::Locked`] while another server has it, [`Error::Newer`], [`Error::Missing`], or what the disk says.
    pub fn open(dir: &Path, options: Options) -> Result<Self, Error> {
        let path = dir.join(DATABASE);
        let blobs = BlobDir::new(dir.join(BLOBS));
        if !path.exists() && blobs.has_files()? {
            return Err(Error::Missing(path));
        }
        blobs.create()?;
        let mut builder = Database::builder();
        builder.set_cache_size(options.cache);
        let db = builder.create(&path).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => Error::Locked(dir.to_owned()),
            other => Error::Database(other.into()),
        })?;
        restrict_mode(&path)?;
        sync_dir(dir)?;
        Self::start(db, blobs, options)
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
        schema::prepare(&db)?;
        let db = Arc::new(db);
        let writer =
            writer::Writer::start(Arc::clone(&db), blobs.clone(), options.clock, options.on_fatal)
                .map_err(|source| Error::file("writer thread", source))?;
        let store = Self { db: RwLock::new(Some(db)), writer, blobs };
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
