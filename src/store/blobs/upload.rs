//! A blob under way: written aside, and removed unless it is kept.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::BlobDir;
use crate::domain::{Blob, BlobName, Timestamp};
use crate::store::engine::Error;
use crate::store::engine::disk::{create_private, sync_dir};

const PARTIAL: &str = "partial";

impl BlobDir {
    /// Begins a new blob.
    pub fn upload(&self) -> Result<Upload, Error> {
        let name = BlobName::random();
        let folder = self.folder(name);
        if !folder.exists() {
            create_private(&folder)?;
            sync_dir(&self.path)?;
        }
        let partial = self.path(name).with_extension(PARTIAL);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&partial)
            .map_err(|source| Error::file(&partial, source))?;
        Ok(Upload {
            dir: self.clone(),
            name,
            file,
            size: 0,
            sha256: Sha256::new(),
            on_disk: partial,
            wanted: false,
        })
    }
}

/// A blob that is being written. Dropping it removes its file, unless [`Upload::keep`] was called.
pub struct Upload {
    dir: BlobDir,
    name: BlobName,
    file: File,
    size: u64,
    sha256: Sha256,
    on_disk: PathBuf,
    wanted: bool,
}

impl Upload {
    /// Adds bytes.
    ///
    /// # Errors
    /// What the disk says, "no space left" among it.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(|source| Error::file(&self.on_disk, source))?;
        self.sha256.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Makes the file durable under its name. The upload still owns it: call [`Upload::keep`] once a row names it.
    pub fn finish(&mut self, now: Timestamp) -> Result<Blob, Error> {
        self.file.sync_all().map_err(|source| Error::file(&self.on_disk, source))?;
        let path = self.dir.path(self.name);
        fs::rename(&self.on_disk, &path).map_err(|source| Error::file(&path, source))?;
        self.on_disk = path;
        sync_dir(&self.dir.folder(self.name))?;
        Ok(Blob {
            name: self.name,
            size: self.size,
            sha256: std::mem::take(&mut self.sha256).finalize().into(),
            created_at: now,
        })
    }

    /// A row names the file: it stays.
    pub fn keep(mut self) {
        self.wanted = true;
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.wanted {
            let _ = fs::remove_file(&self.on_disk);
        }
    }
}
