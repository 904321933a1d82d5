//! What is remembered of the backups that were made: a small file beside the database, and not in it, so that a restored server
//! does not take the backup of another for its own.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;
use crate::store::engine::Error;
use crate::store::engine::disk::{Aside, folder, sync_dir};

/// The file, in the data directory.
const FILE: &str = "backups.json";

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The moment that it shows, microseconds since 1970.
    at: i64,
    /// About how many bytes it has.
    pub bytes: u64,
    /// How many files it lacks, because they were gone.
    pub missing: u64,
    /// The file that it was written to, or `-`.
    pub to: String,
    /// Whether it was read again and found whole.
    pub verified: bool,
}

impl Note {
    /// A backup that shows the moment `at`.
    #[must_use]
    pub const fn new(at: Timestamp, bytes: u64, missing: u64, to: String, verified: bool) -> Self {
        Self { at: at.as_micros(), bytes, missing, to, verified }
    }

    /// The moment that it shows.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        Timestamp::from_micros(self.at)
    }
}

/// The newest backups: the last one that was verified, and the last one of which that is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<Note>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<Note>,
}

impl Notes {
    /// What is noted in a data directory.
    ///
    /// # Errors
    /// What the disk says, or [`Error::Corrupt`] for a file that is something else.
    pub(crate) fn read(dir: &Path) -> Result<Self, Error> {
        let path = path(dir);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            text => text.map_err(|error| Error::file(&path, error))?,
        };
        let broken = |error| Error::Corrupt(format!("{}: {error}", path.display()));
        serde_json::from_slice(&text).map_err(broken)
    }

    /// Adds a backup to what is noted in a data directory. A file that cannot be read is replaced.
    ///
    /// # Errors
    /// What the disk says.
    pub(crate) fn add(dir: &Path, note: Note) -> Result<(), Error> {
        let mut notes = Self::read(dir).unwrap_or_default();
        let place = if note.verified { &mut notes.verified } else { &mut notes.sent };
        *place = Some(note);
        let path = path(dir);
        let written = || {
            let mut aside = Aside::create(&path)?;
            aside.file().write_all(&serde_json::to_vec(&notes)?)?;
            aside.name(true)
        };
        written().map_err(|error| Error::file(&path, error))?;
        sync_dir(folder(&path))
    }

    /// Them, the newest first.
    #[must_use]
    pub fn newest(&self) -> Vec<&Note> {
        let mut all: Vec<&Note> = self.verified.iter().chain(&self.sent).collect();
        all.sort_by_key(|note| std::cmp::Reverse(note.at));
        all
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join(FILE)
}
