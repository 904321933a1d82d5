//! Why the store could not do something.

use std::path::PathBuf;

/// Why the store could not do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process (or another server in this one) has the data directory.
    #[error("{0} is in use by another server: stop that one first")]
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
         testflinger-server restore BACKUP --replace --data-dir {dir}, \
         or save what can be read with: \
         testflinger-server check --salvage INTO --data-dir {dir}"
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
    Database(std::io::Error),
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
            Self::File { source, .. } | Self::Database(source) => full(source),
            Self::Space { .. } => true,
            _ => false,
        }
    }

    pub(crate) fn file(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::File { path: path.into(), source }
    }
}
