//! Reading a backup front to back: every byte is checked before anybody may rely on it.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::archive::Reader;
use super::interrupted::is_interrupted;
use super::{Amount, BLOBS, Error, KEYS, MANIFEST, Manifest, Progress, ROWS, is_key};
use crate::domain::{Blob, BlobName};
use crate::store::engine::Table;
use crate::store::nouns::blob;
use crate::store::upkeep::index;

/// The largest manifest and key, bytes.
const SMALL: u64 = 1 << 20;
/// A row grows in memory by so many bytes as they arrive: what it claims to have may be a lie.
const STEP: u64 = 1 << 20;

/// What becomes of a backup that is read. Nothing is final before [`walk`] returns: the list of sums comes last.
pub(super) trait Sink {
    fn manifest(&mut self, _: &Manifest) -> Result<(), Error> {
        Ok(())
    }
    fn row(&mut self, _: Table, _: &[u8], _: &[u8]) -> Result<(), Error> {
        Ok(())
    }
    /// All rows were shown.
    fn rows_end(&mut self) -> Result<(), Error> {
        Ok(())
    }
    fn key(&mut self, _: &str, _: &[u8]) -> Result<(), Error> {
        Ok(())
    }
    fn blob_begins(&mut self, _: BlobName) -> Result<(), Error> {
        Ok(())
    }
    fn blob_bytes(&mut self, _: &[u8]) -> Result<(), Error> {
        Ok(())
    }
    fn blob_ends(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

struct Nothing;
impl Sink for Nothing {}

/// Checks a backup without restoring it: it is complete, every sum is right, every row can be read, and every file that
/// a row names is there.
pub fn verify(source: impl Read, progress: &mut Progress<'_>) -> Result<Manifest, Error> {
    walk(source, &mut Nothing, progress)
}

/// What the backup in a file says about itself, if it is a backup. Nothing else of it is read or checked.
#[must_use]
pub fn manifest(path: &Path) -> Option<Manifest> {
    let mut archive = Reader::new(File::open(path).ok()?);
    let (name, _) = archive.next().ok()??;
    let text = (name == MANIFEST).then(|| archive.rest(SMALL))?.ok()?;
    serde_json::from_slice(&text).ok()
}

/// Reads a backup into `sink`.
pub(super) fn walk(
    source: impl Read,
    sink: &mut impl Sink,
    progress: &mut Progress<'_>,
) -> Result<Manifest, Error> {
    let source = Counted { source: BufReader::with_capacity(256 * 1024, source), read: 0 };
    let mut walk = Walk { archive: Reader::new(source), sink, progress };
    let manifest = walk.manifest()?;
    walk.sink.manifest(&manifest)?;
    let mut blobs = BTreeMap::new();
    let mut missing = manifest.missing();
    // A backup of an older program has fewer tables.
    let named = |table: &&Table| manifest.rows.contains_key(table.name());
    for table in Table::ALL.iter().filter(named) {
        walk.rows(*table, &manifest, &mut blobs, &mut missing)?;
    }
    walk.sink.rows_end()?;
    for name in &manifest.keys {
        walk.entry(&format!("{KEYS}{name}"))?;
        let key = walk.archive.rest(SMALL)?;
        walk.sink.key(name, &key)?;
        walk.close()?;
    }
    for blob in blobs.values() {
        walk.blob(blob)?;
    }
    let found = Amount {
        count: blobs.len() as u64,
        bytes: blobs.values().map(|blob| blob.size).fold(0, u64::saturating_add),
    };
    if found != manifest.files || !missing.is_empty() {
        return Err(Error::bad("its manifest counts other files than its rows name"));
    }
    match walk.archive.next()? {
        None => Ok(manifest),
        Some((name, _)) => Err(Error::bad(format!("{name:?} does not belong into it"))),
    }
}

struct Walk<'a, 'p, S, R> {
    archive: Reader<Counted<R>>,
    sink: &'a mut S,
    progress: &'a mut Progress<'p>,
}

impl<S: Sink, R: Read> Walk<'_, '_, S, R> {
    /// Begins the entry that must come now, and gives its size.
    fn entry(&mut self, expected: &str) -> Result<u64, Error> {
        match self.archive.next()? {
            Some((name, size)) if name == expected => Ok(size),
            Some((name, _)) => Err(Error::bad(format!("{name:?} stands where {expected} belongs"))),
            None => Err(Error::bad(format!("{expected} is missing"))),
        }
    }

    fn close(&mut self) -> Result<[u8; 32], Error> {
        let sum = self.archive.close()?;
        (self.progress)(self.archive.source().read, None);
        Ok(sum)
    }

    fn manifest(&mut self) -> Result<Manifest, Error> {
        self.entry(MANIFEST)?;
        let text = self.archive.rest(SMALL)?;
        let unreadable = |error| Error::bad(format!("its manifest cannot be read: {error}"));
        let manifest: Manifest = serde_json::from_slice(&text).map_err(unreadable)?;
        manifest.check()?;
        let ascending = manifest.keys.is_sorted_by(|a, b| a < b);
        if !ascending || !manifest.keys.iter().all(|name| is_key(name)) {
            return Err(Error::bad("its manifest names keys that are none"));
        }
        if manifest.rows.keys().any(|name| Table::ALL.iter().all(|table| table.name() != name)) {
            return Err(Error::bad("its manifest names unknown tables"));
        }
        self.close()?;
        (self.progress)(self.archive.source().read, Some(&manifest));
        Ok(manifest)
    }

    fn rows(
        &mut self,
        table: Table,
        manifest: &Manifest,
        blobs: &mut BTreeMap<BlobName, Blob>,
        missing: &mut HashSet<BlobName>,
    ) -> Result<(), Error> {
        let size = self.entry(&format!("{ROWS}{}", table.name()))?;
        let expected = manifest.rows.get(table.name()).copied().unwrap_or_default();
        let (mut count, mut last) = (0, None);
        let (mut key, mut value) = (Vec::new(), Vec::new());
        while self.archive.left() > 0 {
            self.row(&mut key, &mut value)?;
            if last.as_ref().is_some_and(|last| *last >= key) {
                return Err(Error::bad(format!("the rows of {} are not in order", table.name())));
            }
            index::index_of(table, &key, &value)
                .map_err(|error| Error::bad(index::of_row(table, &key, &error).to_string()))?;
            if table == Table::Blob {
                let blob = blob::stored(&value)?;
                // A file that was gone when the backup was made has no entry.
                if !missing.remove(&blob.name)
                    && let Some(blob) = blobs.insert(blob.name, blob)
                {
                    return Err(Error::bad(format!("two rows name the file {}", blob.name)));
                }
            }
            self.sink.row(table, &key, &value)?;
            last = Some(std::mem::take(&mut key));
            count += 1;
            if count % 4096 == 0 {
                (self.progress)(self.archive.source().read, None);
            }
        }
        if (Amount { count, bytes: size }) != expected {
            return Err(Error::bad(format!("{} has another number of rows", table.name())));
        }
        self.close().map(|_| ())
    }

    fn row(&mut self, key: &mut Vec<u8>, value: &mut Vec<u8>) -> Result<(), Error> {
        let mut length = [0; 4];
        let mut lengths = [0; 2];
        for part in &mut lengths {
            self.archive.exactly(&mut length)?;
            *part = u64::from(u32::from_be_bytes(length));
        }
        for (part, length) in [(key, lengths[0]), (value, lengths[1])] {
            part.clear();
            while (part.len() as u64) < length {
                let (begin, more) = (part.len(), STEP.min(length - part.len() as u64));
                part.resize(begin + usize::try_from(more).unwrap_or_default(), 0);
                self.archive.exactly(&mut part[begin..])?;
            }
        }
        Ok(())
    }

    fn blob(&mut self, blob: &Blob) -> Result<(), Error> {
        let name = format!("{BLOBS}{}", blob.name);
        if self.entry(&name)? != blob.size {
            return Err(Error::bad(format!("{name} has another size than its row says")));
        }
        self.sink.blob_begins(blob.name)?;
        loop {
            let piece = self.archive.piece()?;
            if piece.is_empty() {
                break;
            }
            self.sink.blob_bytes(piece)?;
            (self.progress)(self.archive.source().read, None);
        }
        if self.close()? != blob.sha256 {
            let bad = Error::bad(format!("{name} holds other bytes than its row says"));
            // Whoever wrote it may have seen that, too, and says more.
            let next = self.archive.next();
            return Err(next.err().filter(|next| matches!(next, Error::Stopped(_))).unwrap_or(bad));
        }
        self.sink.blob_ends()
    }
}

/// A source, and how much of it was read.
pub(super) struct Counted<R> {
    source: BufReader<R>,
    read: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if is_interrupted() {
            return Err(io::Error::other(Error::Interrupted));
        }
        let read = self.source.read(bytes)?;
        self.read += read as u64;
        Ok(read)
    }
}
