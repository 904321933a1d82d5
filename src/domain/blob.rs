//! Blobs: artifacts and attachments.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Timestamp;

/// A blob whose file is complete and on disk.
#[derive(Clone)]
pub struct Blob {
    /// Its file.
    pub name: BlobName,
    /// Bytes.
    pub size: u64,
    /// Of the bytes.
    pub sha256: [u8; 32],
    /// When it arrived.
    pub created_at: Timestamp,
}

/// The name of a blob's file: random, so that a new file never meets an old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobName(Uuid);

impl BlobName {
    /// A new name.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The name that a file's own name is, if it is one.
    #[must_use]
    pub fn parse(file: &str) -> Option<Self> {
        Uuid::try_parse(file).ok().map(Self)
    }

    /// The 16 bytes of the name.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The name with these 16 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The file's own name.
    #[must_use]
    pub fn text(self) -> String {
        self.0.simple().to_string()
    }
}

/// Its place below the folder of blobs.
impl fmt::Display for BlobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.text();
        write!(f, "{}/{name}", &name[..2])
    }
}

/// What a blob is to its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlobKind {
    /// What the test left behind.
    Artifact,
    /// What the test needs.
    Attachments,
}

impl BlobKind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Artifact, Self::Attachments];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Artifact => "artifact",
            Self::Attachments => "attachments",
        }
    }
}
