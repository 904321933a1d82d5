//! Artifacts and attachments: rows here, bytes in files.
//!
//! A file is written aside, fsynced, renamed and its directory fsynced before a row names it, and never changed
//! afterwards. What a crash leaves is therefore a file that no row names; [`BlobDir::remove_strays`] removes those.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::expiry::Kind;
use super::index::IndexRow;
use super::key::Key;
use super::record::BlobV1;
use super::rows::{ReadTx, Rows, WriteTx};
use super::tables::Table;
use super::{Error, codec, create_private, sync_dir};
use crate::domain::{Blob, BlobKind, BlobName, JobId, Timestamp};

impl BlobKind {
    const fn byte(self) -> u8 {
        match self {
            Self::Artifact => b'a',
            Self::Attachments => b't',
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            b'a' => Some(Self::Artifact),
            b't' => Some(Self::Attachments),
            _ => None,
        }
    }
}

impl Blob {
    fn index_row(&self, key: &[u8]) -> IndexRow {
        (Table::Expiry, Kind::Blob.key(self.created_at, key), Vec::new())
    }
}

/// Looks at one file.
type VisitFile<'a> = dyn FnMut(&Path, Option<BlobName>) -> Result<(), Error> + 'a;

/// The folder of blobs.
#[derive(Clone, Debug)]
pub struct BlobDir {
    pub(super) path: PathBuf,
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
pub(super) struct Pin(BlobDir);

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

impl BlobDir {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, pins: Arc::default() }
    }

    fn pins(&self) -> MutexGuard<'_, Pins> {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps all files until the pin is dropped.
    pub(super) fn pin(&self) -> Pin {
        self.pins().count += 1;
        Pin(self.clone())
    }

    pub(super) fn create(&self) -> Result<(), Error> {
        create_private(&self.path)
    }

    /// Whether any file is there.
    pub(super) fn has_files(&self) -> Result<bool, Error> {
        let mut found = false;
        self.walk(&mut |_, _| {
            found = true;
            Ok(())
        })?;
        Ok(found)
    }

    pub(super) fn folder(&self, name: BlobName) -> PathBuf {
        self.path.join(&name.text()[..2])
    }

    /// The file of a blob.
    #[must_use]
    pub fn path(&self, name: BlobName) -> PathBuf {
        self.folder(name).join(name.text())
    }

    /// Removes the file of a blob that no row names any more. A failure leaves a stray for the next start.
    pub(super) fn unlink(&self, name: BlobName) {
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
    pub(super) fn remove_strays(&self, named: &BTreeSet<BlobName>) -> Result<usize, Error> {
        let mut removed = 0;
        self.walk(&mut |path, name| {
            if name.is_none_or(|name| !named.contains(&name)) {
                fs::remove_file(path).map_err(|source| Error::file(path, source))?;
                removed += 1;
            }
            Ok(())
        })?;
        Ok(removed)
    }

    /// How many files there are whose name is not in `named`.
    pub(super) fn count_strays(&self, named: &HashSet<BlobName>) -> Result<u64, Error> {
        let mut strays = 0;
        self.walk(&mut |_, name| {
            strays += u64::from(name.is_none_or(|name| !named.contains(&name)));
            Ok(())
        })?;
        Ok(strays)
    }

    /// Makes the names of all files durable.
    pub(super) fn sync(&self) -> Result<(), Error> {
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

fn key(job: JobId, kind: BlobKind) -> Key {
    Key::new().raw(job.as_bytes()).byte(kind.byte())
}

/// The job and kind in a blob's key.
pub(super) fn parse_key(key: &[u8]) -> Option<(JobId, BlobKind)> {
    let (id, kind) = key.split_first_chunk()?;
    Some((JobId::from_bytes(*id), BlobKind::from_byte(*kind.first()?)?))
}

/// Reading rows of blobs.
pub trait BlobReads {
    /// The blob of this kind that a job has.
    fn blob(&self, job: JobId, kind: BlobKind) -> Result<Option<Blob>, Error>;
}

impl<R: Rows> BlobReads for R {
    fn blob(&self, job: JobId, kind: BlobKind) -> Result<Option<Blob>, Error> {
        let record: Option<BlobV1> = self.record(Table::Blob, &key(job, kind))?;
        Ok(record.as_ref().map(blob))
    }
}

fn blob(record: &BlobV1) -> Blob {
    Blob {
        name: BlobName::from_bytes(record.name),
        size: record.size,
        sha256: record.sha256,
        created_at: Timestamp::from_micros(record.created_at),
    }
}

/// A stored blob.
pub(super) fn stored(value: &[u8]) -> Result<Blob, Error> {
    codec::decode(value).map(|record| blob(&record))
}

/// The index rows of a stored blob.
pub(super) fn index_of(key: &[u8], value: &[u8]) -> Result<Vec<IndexRow>, Error> {
    if parse_key(key).is_none() {
        return Err(Error::Corrupt("a blob's key names no job".to_owned()));
    }
    Ok(vec![stored(value)?.index_row(key)])
}

impl ReadTx {
    /// The names of all blobs.
    pub(super) fn blob_names(&self) -> Result<BTreeSet<BlobName>, Error> {
        let mut names = BTreeSet::new();
        self.scan_prefix(Table::Blob, &Key::new(), None, &mut |_, value| {
            names.insert(stored(value)?.name);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(names)
    }
}

impl WriteTx<'_> {
    /// Gives a job this blob; the file of an older one goes once that is durable.
    pub fn put_blob(&mut self, job: JobId, kind: BlobKind, blob: &Blob) -> Result<(), Error> {
        self.remove_blob(job, kind)?;
        let key = key(job, kind);
        let record = BlobV1 {
            name: *blob.name.as_bytes(),
            size: blob.size,
            sha256: blob.sha256,
            created_at: blob.created_at.as_micros(),
        };
        self.replace_rows(&[], &[blob.index_row(key.as_slice())])?;
        self.put_record(Table::Blob, &key, &record)
    }

    /// Takes a blob from a job; its file goes once that is durable.
    pub fn remove_blob(&mut self, job: JobId, kind: BlobKind) -> Result<(), Error> {
        let Some(blob) = self.blob(job, kind)? else {
            return Ok(());
        };
        let key = key(job, kind);
        self.replace_rows(&[blob.index_row(key.as_slice())], &[])?;
        self.remove(Table::Blob, &key)?;
        self.effects.unlink.push(blob.name);
        Ok(())
    }
}
