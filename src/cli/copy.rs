//! Data on a read-only file system, such as a mounted snapshot. Opening a database writes to it, so a copy is opened.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::io::Errno;
use uuid::Uuid;

use super::Failure;
use crate::store::{self, BLOBS, KEYS};

/// The beginning of the names of files that a database is made of.
const DATABASE: &str = "testflinger.";

/// A copy of the database of a data directory, with the files and keys of the original. Dropping it removes it.
pub(super) struct Copy {
    /// The data directory that can be opened instead.
    pub(super) dir: PathBuf,
}

impl Copy {
    /// Makes a copy, if the file system cannot be written.
    pub(super) fn of(data_dir: &Path) -> Result<Option<Self>, Failure> {
        if access(data_dir, Access::WRITE_OK) != Err(Errno::ROFS) {
            return Ok(None);
        }
        let dir = std::env::temp_dir().join(format!("testflinger-{}", Uuid::new_v4()));
        store::create_private(&dir)?;
        let copy = Self { dir };
        copy.fill(data_dir)?;
        Ok(Some(copy))
    }

    fn fill(&self, data_dir: &Path) -> Result<(), Failure> {
        let failed = |path: &Path, error: &std::io::Error| Failure::file(path, error);
        let original = fs::canonicalize(data_dir).map_err(|error| failed(data_dir, &error))?;
        for entry in fs::read_dir(&original).map_err(|error| failed(&original, &error))? {
            let from = entry.map_err(|error| failed(&original, &error))?.path();
            let name = from.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let to = self.dir.join(name);
            let made = if name.starts_with(DATABASE) && from.is_file() {
                fs::copy(&from, &to).map(|_| ())
            } else if [BLOBS, KEYS].contains(&name) {
                symlink(&from, &to)
            } else {
                Ok(())
            };
            made.map_err(|error| failed(&to, &error))?;
        }
        Ok(())
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // Links are removed, and not what they lead to.
        let _ = fs::remove_dir_all(&self.dir);
    }
}
