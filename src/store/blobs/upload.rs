//! A blob under way: written aside, and removed unless it is kept.

use std::io::Write;

use sha2::{Digest, Sha256};

use super::Blobs;
use crate::domain::{Blob, BlobName, Timestamp};
use crate::store::engine::Error;
use crate::store::engine::disk::{Aside, check_room, create_private, free, sync_dir};

impl Blobs {
    /// Fails unless `needed` bytes are free.
    pub fn check_room(&self, needed: u64) -> Result<(), Error> {
        check_room(&self.path, needed)
    }

    /// How many bytes are free.
    pub fn free(&self) -> Result<u64, Error> {
        free(&self.path)
    }

    /// Begins a new blob.
    pub fn upload(&self) -> Result<Upload, Error> {
        self.receive(BlobName::random())
    }

    /// Begins a blob that has this name.
    pub(crate) fn receive(&self, name: BlobName) -> Result<Upload, Error> {
        let folder = self.folder(name);
        if !folder.exists() {
            create_private(&folder)?;
            sync_dir(&self.path)?;
        }
        let path = self.path(name);
        let file = Aside::create(&path).map_err(|source| Error::file(path, source))?;
        Ok(Upload {
            blobs: self.clone(),
            name,
            file,
            size: 0,
            sha256: Sha256::new(),
            wanted: false,
        })
    }
}

/// A blob that is being written. Dropping it removes its file, unless [`Upload::keep`] was called.
pub struct Upload {
    blobs: Blobs,
    name: BlobName,
    file: Aside,
    size: u64,
    sha256: Sha256,
    wanted: bool,
}

impl Upload {
    /// Adds bytes.
    ///
    /// # Errors
    /// What the disk says, "no space left" among it.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.file().write_all(bytes).map_err(|error| self.failed(error))?;
        self.sha256.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Whether the bytes that were written have this sum.
    pub(crate) fn has(&self, sum: &[u8; 32]) -> bool {
        self.sha256.clone().finalize()[..] == sum[..]
    }

    /// Makes the file durable and gives it its name, which is durable after [`Blobs::sync`].
    pub(crate) fn name(&mut self) -> Result<(), Error> {
        self.file.name(true).map_err(|error| self.failed(error))
    }

    /// Makes the file durable under its name. The upload still owns it: call [`Upload::keep`] once a row names it.
    pub fn finish(&mut self, now: Timestamp) -> Result<Blob, Error> {
        self.name()?;
        sync_dir(&self.blobs.folder(self.name))?;
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

    fn failed(&self, source: std::io::Error) -> Error {
        Error::file(self.file.place(), source)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.wanted {
            let _ = std::fs::remove_file(self.file.place());
        }
    }
}
