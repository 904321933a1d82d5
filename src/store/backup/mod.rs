//! Backups: everything that the store keeps, as one stream.
//!
//! A backup is an [`archive`] of these entries, in this order: `manifest.json`; `rows/<table>` for each table, with its
//! rows in key order; `keys/<name>`; `blobs/<aa>/<name>` for each blob, by name; `SHA256SUMS`. Rows rather than a
//! database file: they can be streamed from a snapshot to anywhere without a temporary copy, and are independent of
//! the database's own format.

mod archive;
mod dump;
mod interrupted;
mod leftovers;
mod load;
mod note;
mod read;
mod restore;
mod salvage;
mod save;

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(crate) use dump::Origin;
pub use dump::What;
pub(super) use dump::keys;
pub use interrupted::{check as check_interrupted, interrupt};
pub use leftovers::sweep;
pub(super) use load::put_key;
pub use note::{Note, Notes};
pub use read::{manifest, verify};
pub(super) use restore::{Aside, MARKER, Place, give};
pub use restore::{Restored, Target, restore};
pub use salvage::{Salvaged, salvage};
pub use save::{save, stream};

pub use crate::store::engine::disk::partial;

use crate::domain::{BlobKind, BlobName, JobId};
use crate::store::engine::{self, Table, codec};
use crate::store::upkeep::schema;

/// The version of the form of backups.
const FORMAT: u64 = 1;
const MANIFEST: &str = "manifest.json";
const ROWS: &str = "rows/";
const KEYS: &str = "keys/";
const BLOBS: &str = "blobs/";

/// Is told how many bytes of a backup were dealt with, and what there is in all as soon as that is known.
pub type Progress<'a> = dyn FnMut(u64, Option<&Manifest>) + 'a;

/// Why a backup cannot be made, trusted or restored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not what was written.
    #[error("the backup is damaged: {0}")]
    Bad(String),
    /// Whoever made it had to give up.
    #[error("no backup was made: {0}")]
    Stopped(String),
    /// A signal came.
    #[error("interrupted")]
    Interrupted,
    /// It cannot be read.
    #[error("the backup cannot be read: {0}")]
    Read(std::io::Error),
    /// It cannot be written.
    #[error("{path}: {source}")]
    Write {
        /// Where to.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It was made by a newer program.
    #[error(
        "the backup has {what} version {found} and was made by {product}, this program knows up to {known}: \
         use a newer testflinger-server"
    )]
    Newer {
        /// `format` or `schema`.
        what: &'static str,
        /// The version that it has.
        found: u64,
        /// The newest version that this program knows.
        known: u64,
        /// Which program made it.
        product: String,
    },
    /// There is something where it should go.
    #[error("{0} is there already: {1}")]
    Exists(PathBuf, &'static str),
    /// A directory that cannot be renamed.
    #[error(
        "{dir} is a mount point, and nothing can take its place in one step: give a directory below it, such as \
         {dir}/data, and let data_dir name that if a server shall use it",
        dir = .0.display()
    )]
    MountPoint(PathBuf),
    /// Another process is at it.
    #[error("{0} is in use by another process")]
    Locked(PathBuf),
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] engine::Error),
}

impl Error {
    fn bad(why: impl Into<String>) -> Self {
        Self::Bad(why.into())
    }

    fn write(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Write { path: path.into(), source }
    }
}

/// How many there are, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// How many.
    pub count: u64,
    /// Bytes.
    pub bytes: u64,
}

/// What a backup says about itself: its first entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the form of backups.
    pub format: u64,
    /// The program that made it, with its version.
    pub product: String,
    /// The version of the tables.
    pub schema: u64,
    /// How records are encoded.
    pub codec: String,
    /// The moment that it shows, RFC 3339 in UTC.
    pub created_at: String,
    /// The database's own name, which restoring keeps.
    pub instance: String,
    /// The machine's name.
    pub host: String,
    /// Whether the hashes of secrets, refresh tokens and keys are in it.
    pub secrets: bool,
    /// The rows of each table.
    pub rows: BTreeMap<String, Amount>,
    /// The keys.
    pub keys: Vec<String>,
    /// Artifacts and attachments.
    pub files: Amount,
    /// Files that rows name and that were gone when the backup was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
}

/// A file that a backup lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The file, below the folder of blobs.
    pub file: String,
    /// The job.
    pub job: String,
    /// What the job had it for: `artifact` or `attachments`.
    pub kind: String,
}

impl Missing {
    fn new(file: BlobName, (job, kind): (JobId, BlobKind)) -> Self {
        Self { file: file.to_string(), job: job.to_string(), kind: kind.as_str().to_owned() }
    }

    /// The name of the file; `None` when the backup does not say one.
    fn name(&self) -> Option<BlobName> {
        self.file.get(3..).and_then(BlobName::parse)
    }
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the {} of job {}: {BLOBS}{}", self.kind, self.job, self.file)
    }
}

impl Manifest {
    /// How many rows there are in all.
    #[must_use]
    pub fn row_count(&self) -> u64 {
        self.rows.values().map(|rows| rows.count).sum()
    }

    /// How many jobs there are.
    #[must_use]
    pub fn jobs(&self) -> u64 {
        self.rows_of(Table::Job)
    }

    /// How many clients there are.
    #[must_use]
    pub fn clients(&self) -> u64 {
        self.rows_of(Table::Client)
    }

    /// The names of the files that it lacks.
    fn missing(&self) -> HashSet<BlobName> {
        self.missing.iter().filter_map(Missing::name).collect()
    }

    fn rows_of(&self, table: Table) -> u64 {
        self.rows.get(table.name()).map_or(0, |rows| rows.count)
    }

    /// About how many bytes the backup has in all, rather too many.
    #[must_use]
    pub fn size(&self) -> u64 {
        /// The head and the padding of an entry, and its line in the list of sums.
        const ENTRY: u64 = 1024 + 128;
        let rows = self.rows.values().map(|rows| rows.bytes).fold(0, u64::saturating_add);
        let entries = (self.rows.len() + self.keys.len()) as u64;
        let entries = entries.saturating_add(self.files.count).saturating_add(8);
        rows.saturating_add(self.files.bytes).saturating_add(entries.saturating_mul(ENTRY))
    }

    /// Whether this program understands it.
    fn check(&self) -> Result<(), Error> {
        for (what, found, known) in
            [("format", self.format, FORMAT), ("schema", self.schema, schema::VERSION)]
        {
            if found > known {
                let product = self.product.clone();
                return Err(Error::Newer { what, found, known, product });
            }
        }
        if self.codec != codec::NAME {
            return Err(Error::bad(format!("its records are encoded as {}", self.codec)));
        }
        Ok(())
    }
}

/// Whether a file of this name is a key: what else lies in that folder is not ours.
#[must_use]
pub fn is_key(name: &str) -> bool {
    let stem = name.strip_suffix(".key").unwrap_or_default();
    (1..=60).contains(&stem.len()) && stem.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
}
