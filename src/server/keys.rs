//! The keys that the server generates for itself.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::app::KeyFile;
use crate::auth::refresh::random_bytes;
use crate::secrets::{Keyring, SealingKey};
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

/// The key that seals secrets.
const SECRETS: &str = "secrets.key";
/// The one before it, while a replacement is under way.
const SECRETS_OLD: &str = "secrets-old.key";
/// The one after it, until it is in its place.
const SECRETS_NEXT: &str = "secrets-next.key";

/// The key `name` below `keys` in the data directory, made on the first start.
pub(super) fn load_or_make(data_dir: &Path, name: &str) -> Result<Vec<u8>, Error> {
    let path = data_dir.join(store::KEYS).join(name);
    if !path.exists() {
        make(data_dir, name)?;
    }
    load(&path)
}

/// Writes a new key: 32 random bytes in base64. It is written aside, fsynced and renamed, so that a crash leaves a whole
/// key or none.
fn make(data_dir: &Path, name: &str) -> Result<(), Error> {
    let dir = data_dir.join(store::KEYS);
    let path = dir.join(name);
    let failed = |path: &Path, source| Error::Store(store::Error::file(path, source));
    create_private(&dir)?;
    let bytes = random_bytes::<32>().map_err(|error| Error::Random(error.to_string()))?;
    let text = STANDARD.encode(bytes);
    let made = Aside::create(&path).and_then(|mut aside| {
        aside.file().write_all(text.as_bytes())?;
        aside.name(true)
    });
    made.map_err(|source| failed(&path, source))?;
    sync_dir(&dir)?;
    Ok(sync_dir(data_dir)?)
}

fn load(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Store(store::Error::file(path, source));
    let mode = fs::metadata(path).map_err(failed)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::Readable { path: path.to_owned(), mode });
    }
    let key = fs::read(path).map_err(failed)?;
    if key.is_empty() { Err(Error::Empty(path.to_owned())) } else { Ok(key) }
}

/// The keys of secrets in the data directory, and what puts another one in their place.
pub(super) struct SecretsKey {
    data_dir: PathBuf,
}

impl SecretsKey {
    /// The keys that are there; the first one is made on the first start.
    pub(super) fn open(data_dir: &Path) -> Result<(Keyring, Self), Error> {
        let key = Self { data_dir: data_dir.to_owned() };
        let mut ring = Keyring::new(SealingKey::from_bytes(&load_or_make(data_dir, SECRETS)?));
        if key.path(SECRETS_OLD).exists() {
            ring = ring.with_older(SealingKey::from_bytes(&load(&key.path(SECRETS_OLD))?));
        }
        Ok((ring, key))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.data_dir.join(store::KEYS).join(name)
    }

    fn remove(&self, name: &str) -> Result<(), Error> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(store::Error::file(path, error).into())
            }
            _ => Ok(sync_dir(&self.data_dir.join(store::KEYS))?),
        }
    }

    /// Under each of these names stands a whole key at every moment, and none under which something is sealed is lost.
    fn replace(&self) -> Result<SealingKey, Error> {
        let (current, old) = (self.path(SECRETS), self.path(SECRETS_OLD));
        let key = load(&current)?;
        if old.exists() {
            if load(&old)? != key {
                return Ok(SealingKey::from_bytes(&key));
            }
            // A crash came before the new key was in its place.
            self.remove(SECRETS_OLD)?;
        }
        make(&self.data_dir, SECRETS_NEXT)?;
        let failed = |source| Error::Store(store::Error::file(&current, source));
        fs::hard_link(&current, &old).map_err(failed)?;
        sync_dir(&self.data_dir.join(store::KEYS))?;
        fs::rename(self.path(SECRETS_NEXT), &current).map_err(failed)?;
        sync_dir(&self.data_dir.join(store::KEYS))?;
        Ok(SealingKey::from_bytes(&load(&current)?))
    }
}

impl KeyFile for SecretsKey {
    fn begin(&self) -> Result<SealingKey, String> {
        self.replace().map_err(|error| error.to_string())
    }

    fn finish(&self) -> Result<(), String> {
        self.remove(SECRETS_OLD).map_err(|error| error.to_string())
    }
}
