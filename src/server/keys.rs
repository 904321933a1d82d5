//! The keys that a server makes for itself.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::auth::refresh::random_bytes;
use crate::store::{self, create_private, sync_dir};

/// Why a key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Others could have read it.
    #[error(
        "{path} may be read by others (mode {mode:03o}): chmod 600 it, or remove it to have a new one made"
    )]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is empty, as no key of ours is.
    #[error("{0} is empty: restore it from a backup, or remove it to have a new one made")]
    Empty(PathBuf),
    /// The system has no random numbers.
    #[error("no random numbers: {0}")]
    Random(String),
}

/// The key `name` below `keys` in the data directory, made on the first start: 32 random bytes in
/// base64. It is written aside, fsynced and renamed, so that a crash leaves a whole key or none.
pub(super) fn load_or_make(data_dir: &Path, name: &str) -> Result<Vec<u8>, Error> {
    let dir = data_dir.join(store::KEYS);
    let path = dir.join(name);
    let failed = |path: &Path, source| Error::Store(store::Error::file(path, source));
    if !path.exists() {
        create_private(&dir)?;
        let bytes = random_bytes::<32>().map_err(|error| Error::Random(error.to_string()))?;
        let text = STANDARD.encode(bytes);
        let partial = path.with_extension("partial");
        // What a crash left of an earlier attempt.
        let _ = fs::remove_file(&partial);
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&partial)
            .map_err(|source| failed(&partial, source))?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&partial, &path))
            .map_err(|source| failed(&path, source))?;
        sync_dir(&dir)?;
        sync_dir(data_dir)?;
    }
    let mode = fs::metadata(&path).map_err(|source| failed(&path, source))?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::Readable { path, mode });
    }
    let key = fs::read(&path).map_err(|source| failed(&path, source))?;
    if key.is_empty() { Err(Error::Empty(path)) } else { Ok(key) }
}
