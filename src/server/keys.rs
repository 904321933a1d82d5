//! The keys that the server generates for itself.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::auth::refresh::random_bytes;
use crate::store::{self, Aside, create_private, sync_dir};

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Other users could have read it.
    #[error(
        "other users can read {path}, whose mode is {mode:03o}: run chmod 600 {path}, or remove the file to get a new key"
    )]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Somebody else owns it, and could replace it.
    #[error("{path} belongs to the user with the number {owner}: run chown {expected} {path}")]
    Owner {
        /// The file or directory.
        path: PathBuf,
        /// Who owns it.
        owner: u32,
        /// Who should.
        expected: u32,
    },
    /// Others could replace what is in it.
    #[error("other users can write to {path}, whose mode is {mode:03o}: run chmod go-w {path}")]
    Writable {
        /// The directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file is empty, which no key of this server is.
    #[error("{0} is empty: restore the file from a backup, or remove it to get a new key")]
    Empty(PathBuf),
    /// The system gave no random numbers.
    #[error("the system gave no random numbers: {0}")]
    Random(String),
}

/// Refuses a data directory whose content others could replace, and keys that others own.
pub(super) fn check_owners(data_dir: &Path) -> Result<(), Error> {
    let failed = |path: &Path, source| Error::Store(store::Error::file(path, source));
    let folder = data_dir.join(store::KEYS);
    let data = match fs::metadata(data_dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        data => data.map_err(|source| failed(data_dir, source))?,
    };
    let mut paths = vec![data_dir.to_owned()];
    if folder.exists() {
        let entries = fs::read_dir(&folder).map_err(|source| failed(&folder, source))?;
        for entry in entries {
            paths.push(entry.map_err(|source| failed(&folder, source))?.path());
        }
        paths.push(folder);
    }
    // Root may serve somebody else's directory, as it does for a service's user.
    let user = rustix::process::geteuid();
    let expected = if user.is_root() { data.uid() } else { user.as_raw() };
    for path in paths {
        let found = fs::symlink_metadata(&path).map_err(|source| failed(&path, source))?;
        let owner = found.uid();
        if owner != expected && owner != 0 {
            return Err(Error::Owner { path, owner, expected });
        }
        let mode = found.mode() & 0o777;
        if found.is_dir() && mode & 0o022 != 0 {
            return Err(Error::Writable { path, mode });
        }
    }
    Ok(())
}

/// Whether the key that signs tokens is missing although there is data that it was made for.
pub(super) fn is_lost(data_dir: &Path) -> bool {
    data_dir.join(store::DATABASE).exists() && !data_dir.join(store::KEYS).join(JWT).exists()
}

/// The name of the key that signs tokens.
pub(super) const JWT: &str = "jwt.key";

/// The key `name` in the folder `keys` of the data directory, generated at the first start: 32 random bytes in base64.
/// It is written aside, fsynced and renamed, so that a crash leaves a whole key or none.
pub(super) fn load_or_make(data_dir: &Path, name: &str) -> Result<Vec<u8>, Error> {
    let dir = data_dir.join(store::KEYS);
    let path = dir.join(name);
    let failed = |path: &Path, source| Error::Store(store::Error::file(path, source));
    if !path.exists() {
        create_private(&dir)?;
        let bytes = random_bytes::<32>().map_err(|error| Error::Random(error.to_string()))?;
        let text = STANDARD.encode(bytes);
        let made = Aside::create(&path).and_then(|mut aside| {
            aside.file().write_all(text.as_bytes())?;
            aside.name(true)
        });
        made.map_err(|source| failed(&path, source))?;
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
