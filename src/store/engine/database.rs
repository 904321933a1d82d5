//! The file of the database: made aside, opened, and refused when it is damaged.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use redb::{Database, DatabaseError, StorageError};

use super::disk::{restrict_mode, sync_dir};
use super::{DATABASE, Error};

/// The database while it is made.
const NEW_DATABASE: &str = "testflinger.redb.partial";
/// Page cache of a database that is only filled or looked at, bytes.
pub(crate) const CACHE: usize = 64 << 20;

/// Opens the database of a data directory, which must be there.
pub(crate) fn open_database(dir: &Path, cache: usize) -> Result<Database, Error> {
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

pub(crate) fn unopened(dir: &Path, error: DatabaseError) -> Error {
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
pub(crate) fn create_database(dir: &Path) -> Result<Database, Error> {
    let path = dir.join(NEW_DATABASE);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::file(path, error));
        }
        _ => {}
    }
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE);
    let db = builder.create(&path).map_err(|error| Error::Database(error.into()))?;
    restrict_mode(&path)?;
    Ok(db)
}

/// Gives a database that was created its name, once it is closed.
pub(crate) fn name_database(dir: &Path) -> Result<(), Error> {
    let (from, to) = (dir.join(NEW_DATABASE), dir.join(DATABASE));
    std::fs::rename(&from, &to).map_err(|source| Error::file(from, source))?;
    sync_dir(dir)
}
