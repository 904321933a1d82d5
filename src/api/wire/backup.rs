//! Backups on the wire: what was made of one.

use serde::{Deserialize, Serialize};

use super::{TIME, timestamp};
use crate::domain::Timestamp;
use crate::http::ApiResult;
use crate::http::shape::kind::{BOOLEAN, at_least, text};
use crate::http::shape::{Input, Kind, Members, Others, Output, Shape, must};
use crate::store::backup::Note;

/// The longest path of a file, bytes.
const LONGEST_PATH: usize = 4096;

static NOTE: Shape = Shape {
    name: "BackupNote",
    doc: "A backup that was made.",
    others: Others::Refused,
    members: &[
        must("at", TIME, "The moment that it shows.").like("2026-11-23T12:00:00Z"),
        must("bytes", at_least(0), "About how many bytes it has.").like("1048576"),
        must("missing", at_least(0), "How many files it lacks, because they were gone.").like("0"),
        must("to", text(1, LONGEST_PATH), "The file that it was written to, or `-`.")
            .like("lab.tar"),
        must("verified", BOOLEAN, "Whether it was read again and found whole.").like("true"),
    ],
};

impl Input for Note {
    const SHAPE: &'static Shape = &NOTE;

    fn read(members: Members<'_>) -> ApiResult<Self> {
        #[derive(Deserialize)]
        struct Known {
            at: String,
            bytes: u64,
            missing: u64,
            to: String,
            verified: bool,
        }
        let Known { at, bytes, missing, to, verified } = members.to()?;
        // The shape has seen that it is a moment.
        let at = timestamp(&at).unwrap_or_default();
        Ok(Self::new(at, bytes, missing, to, verified))
    }
}

/// A backup that was made.
#[derive(Serialize)]
pub(in crate::api) struct Noted {
    at: Timestamp,
    bytes: u64,
    missing: u64,
    to: String,
    verified: bool,
}

impl From<&Note> for Noted {
    fn from(note: &Note) -> Self {
        let (at, to) = (note.at(), note.to.clone());
        Self { at, bytes: note.bytes, missing: note.missing, to, verified: note.verified }
    }
}

impl Output for Noted {
    const KIND: Kind = Kind::Object(&NOTE);
}
