//! Logs of jobs and the fragments that they are made of.

use serde::{Deserialize, Serialize};

use super::{JobId, Phase, Timestamp};

/// The two logs of a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogKind {
    /// What the phase's commands printed.
    Output,
    /// What the device printed on its serial line.
    Serial,
}

impl LogKind {
    /// Both logs.
    pub const ALL: [Self; 2] = [Self::Output, Self::Serial];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Output => "output",
            Self::Serial => "serial",
        }
    }

    /// The log with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Which log of which job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log(pub JobId, pub LogKind);

/// A fragment as it is posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Its number; grows over the whole job. `None` gives it the next one.
    pub number: Option<i64>,
    /// Its phase.
    pub phase: Phase,
    /// When its agent wrote it.
    pub at: Timestamp,
    /// The text.
    pub text: String,
}

/// Where a fragment stands, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentRow {
    /// Its number.
    pub number: i64,
    /// Tells fragments with the same number apart.
    pub copy: u64,
    /// Bytes of its text.
    pub size: usize,
}
