//! Artifacts and attachments: their rows. The bytes are files of their own.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::aging::Kind;
use crate::domain::{Blob, BlobKind, BlobName, JobId, Timestamp};
use crate::store::engine::codec::first_version;
use crate::store::engine::{ALL, Error, IndexRow, Key, ReadTx, Rows, Table, WriteTx, codec};

/// An artifact or attachments; the bytes are the file `name`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct BlobV1 {
    pub(super) name: [u8; 16],
    pub(super) size: u64,
    pub(super) sha256: [u8; 32],
    pub(super) created_at: i64,
}
first_version!(BlobV1, 5);

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

fn key(job: JobId, kind: BlobKind) -> Key {
    job.key().byte(kind.byte())
}

/// The job and kind in a blob's key.
pub(crate) fn parse_key(key: &[u8]) -> Option<(JobId, BlobKind)> {
    let (id, kind) = key.split_first_chunk()?;
    Some((JobId::from_bytes(*id), BlobKind::from_byte(*kind.first()?)?))
}

/// Reading rows of blobs.
pub trait BlobReads {
    /// The blob of this kind that a job has.
    fn blob(&self, job: JobId, kind: BlobKind) -> Result<Option<Blob>, Error>;
    /// How many bytes all blobs have. Reads a row of each.
    fn blob_bytes(&self) -> Result<u64, Error>;
}

impl<R: Rows> BlobReads for R {
    fn blob(&self, job: JobId, kind: BlobKind) -> Result<Option<Blob>, Error> {
        let record: Option<BlobV1> = self.record(Table::Blob, &key(job, kind))?;
        Ok(record.as_ref().map(blob))
    }

    fn blob_bytes(&self) -> Result<u64, Error> {
        let mut bytes = 0;
        self.scan_prefix(Table::Blob, &Key::new(), None, &mut |_, value| {
            bytes += stored(value)?.size;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(bytes)
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
pub(crate) fn stored(value: &[u8]) -> Result<Blob, Error> {
    codec::decode(value).map(|record| blob(&record))
}

/// The index rows of a stored blob.
pub(crate) fn index_of(key: &[u8], value: &[u8]) -> Result<Vec<IndexRow>, Error> {
    if parse_key(key).is_none() {
        return Err(Error::Corrupt("a blob's key names no job".to_owned()));
    }
    Ok(vec![stored(value)?.index_row(key)])
}

impl ReadTx {
    /// The names of all blobs.
    pub(crate) fn blob_names(&self) -> Result<BTreeSet<BlobName>, Error> {
        let names = self
            .list(Table::Blob, &Key::new(), ALL, |_, value| stored(value).map(|blob| blob.name));
        Ok(names?.into_iter().collect())
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
        self.note_blob(blob.size, true);
        self.put_record(Table::Blob, &key, &record)
    }

    /// Moves a blob from a job to another id, which has none of this kind; its file stays where it is.
    pub fn move_blob(&mut self, kind: BlobKind, (from, to): (JobId, JobId)) -> Result<(), Error> {
        let (from, to) = (key(from, kind), key(to, kind));
        let Some(record) = self.record::<BlobV1>(Table::Blob, &from)? else {
            return Ok(());
        };
        let row = |key: &Key| blob(&record).index_row(key.as_slice());
        self.replace_rows(&[row(&from)], &[row(&to)])?;
        self.remove(Table::Blob, &from)?;
        self.put_record(Table::Blob, &to, &record)
    }

    /// Takes a blob from a job; its file goes once that is durable.
    pub fn remove_blob(&mut self, job: JobId, kind: BlobKind) -> Result<(), Error> {
        let Some(blob) = self.blob(job, kind)? else {
            return Ok(());
        };
        let key = key(job, kind);
        self.replace_rows(&[blob.index_row(key.as_slice())], &[])?;
        self.remove(Table::Blob, &key)?;
        self.note_blob(blob.size, false);
        self.unlink(blob.name);
        Ok(())
    }
}
