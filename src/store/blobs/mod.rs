//! The files of blobs.
//!
//! A file is written aside, fsynced, renamed and its directory fsynced before a row names it, and never changed
//! afterwards. What a crash leaves is therefore a file that no row names; [`Blobs::remove_strays`] removes those.

mod upload;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use upload::Upload;

use crate::domain::BlobName;
use crate::store::engine::Error;
use crate::store::engine::disk::{create_private, sync_dir};

/// Looks at one file.
type VisitFile<'a> = dyn FnMut(&Path, Option<BlobName>) -> Result<(), Error> + 'a;

/// The files of blobs. Where they are is nobody else's business: put one with [`Blobs::upload`], read it with
/// [`Blobs::open`].
#[derive(Clone, Debug)]
pub struct Blobs {
    path: PathBuf,
    pins: Arc<Mutex<Pins>>,
}

/// Who needs files to stay, and the files that would be gone but for that.
#[derive(Debug, Default)]
struct Pins {
    count: usize,
    unlink: Vec<BlobName>,
}

/// While this is there, no file of a blob is removed. Whoever reads files that a snapshot names takes it before the
/// snapshot.
pub(crate) struct Pin(Blobs);

impl Drop for Pin {
    fn drop(&mut self) {
        let gone = {
            let mut pins = self.0.pins();
            pins.count -= 1;
            if pins.count == 0 { std::mem::take(&mut pins.unlink) } else { Vec::new() }
        };
        for name in gone {
            self.0.remove(name);
        }
    }
}

impl Blobs {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, pins: Arc::default() }
    }

    fn pins(&self) -> MutexGuard<'_, Pins> {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps all files until the pin is dropped.
    pub(crate) fn pin(&self) -> Pin {
        self.pins().count += 1;
        Pin(self.clone())
    }

    pub(crate) fn create(&self) -> Result<(), Error> {
        create_private(&self.path)
    }

    /// Whether any file is there.
    pub(crate) fn has_files(&self) -> Result<bool, Error> {
        let mut found = false;
        self.walk(&mut |_, _| {
            found = true;
            Ok(())
        })?;
        Ok(found)
    }

    fn folder(&self, name: BlobName) -> PathBuf {
        self.path.join(&name.text()[..2])
    }

    fn path(&self, name: BlobName) -> PathBuf {
        self.folder(name).join(name.text())
    }

    /// The file of a blob, to be read, and how many bytes it has.
    ///
    /// # Errors
    /// [`Error::File`] with [`io::ErrorKind::NotFound`] when it is gone.
    pub fn open(&self, name: BlobName) -> Result<(File, u64), Error> {
        let path = self.path(name);
        let opened = File::open(&path).and_then(|file| {
            let size = file.metadata()?.len();
            Ok((file, size))
        });
        opened.map_err(|source| Error::file(path, source))
    }

    /// Whether the file of a blob is there.
    pub(crate) fn is_there(&self, name: BlobName) -> Result<bool, Error> {
        let path = self.path(name);
        path.try_exists().map_err(|source| Error::file(path, source))
    }

    /// Moves the file of a blob to a folder for damaged ones: what is left of it may still be of use.
    pub(crate) fn put_away(&self, name: BlobName, folder: &Path) -> Result<(), Error> {
        create_private(folder)?;
        let from = self.path(name);
        let to = folder.join(name.to_string().replace('/', "-"));
        fs::rename(&from, &to).map_err(|source| Error::file(&from, source))?;
        sync_dir(folder)
    }

    /// Why a file could not be read to its end, with its place.
    pub(crate) fn unread(&self, name: BlobName, source: io::Error) -> Error {
        Error::file(self.path(name), source)
    }

    /// What is wrong with a file, with its place.
    pub(crate) fn damaged(&self, name: BlobName, why: &str) -> Error {
        Error::Corrupt(format!("{}: {why}", self.path(name).display()))
    }

    /// Removes the file of a blob that no row names any more. A failure leaves a stray for the next start.
    pub(crate) fn unlink(&self, name: BlobName) {
        let mut pins = self.pins();
        if pins.count > 0 {
            pins.unlink.push(name);
        } else {
            drop(pins);
            self.remove(name);
        }
    }

    fn remove(&self, name: BlobName) {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), %error, "cannot remove a file that is no longer needed");
            }
            _ => {}
        }
    }

    /// Removes every file whose name is not in `named`, and says how many.
    pub(crate) fn remove_strays(&self, named: &BTreeSet<BlobName>) -> Result<usize, Error> {
        let mut removed = 0;
        self.walk(&mut |path, name| {
            if name.is_none_or(|name| !named.contains(&name)) {
                match fs::remove_file(path) {
                    Ok(()) => removed += 1,
                    // Whoever looks at data that cannot be written leaves them, too.
                    Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {}
                    Err(source) => return Err(Error::file(path, source)),
                }
            }
            Ok(())
        })?;
        Ok(removed)
    }

    /// How many files there are of which this is true; a file whose name is no blob's has none.
    pub(crate) fn count(&self, such: &dyn Fn(Option<BlobName>) -> bool) -> Result<u64, Error> {
        let mut count = 0;
        self.walk(&mut |_, name| {
            count += u64::from(such(name));
            Ok(())
        })?;
        Ok(count)
    }

    /// Makes the names of all files durable.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        for folder in entries(&self.path)?.into_iter().filter(|path| path.is_dir()) {
            sync_dir(&folder)?;
        }
        sync_dir(&self.path)
    }

    /// Shows every file, with its name if it has a blob's.
    fn walk(&self, visit: &mut VisitFile<'_>) -> Result<(), Error> {
        for folder in entries(&self.path)?.into_iter().filter(|path| path.is_dir()) {
            for path in entries(&folder)? {
                let name =
                    path.file_name().and_then(|name| name.to_str()).and_then(BlobName::parse);
                visit(&path, name)?;
            }
        }
        Ok(())
    }
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::file(dir, source);
    match fs::read_dir(dir) {
        Ok(entries) => {
            entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect()
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed(error)),
    }
}
