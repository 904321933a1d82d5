//! States of a job and phases.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The phases of a job in the order in which agents run them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// `setup`
    Setup,
    /// `provision`
    Provision,
    /// `firmware_update`
    FirmwareUpdate,
    /// `test`
    Test,
    /// `allocate`
    Allocate,
    /// `reserve`
    Reserve,
    /// `cleanup`
    Cleanup,
}

impl Phase {
    /// All phases.
    pub const ALL: [Self; 7] = [
        Self::Setup,
        Self::Provision,
        Self::FirmwareUpdate,
        Self::Test,
        Self::Allocate,
        Self::Reserve,
        Self::Cleanup,
    ];

    /// The words of all phases, in the same order.
    pub const WORDS: [&str; 7] = {
        let mut words = [""; 7];
        let mut at = 0;
        while at < words.len() {
            words[at] = Self::ALL[at].as_str();
            at += 1;
        }
        words
    };

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Provision => "provision",
            Self::FirmwareUpdate => "firmware_update",
            Self::Test => "test",
            Self::Allocate => "allocate",
            Self::Reserve => "reserve",
            Self::Cleanup => "cleanup",
        }
    }

    /// The phase with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == word)
    }
}

/// The state of a job: a word of the agent's. Words that this server does not know are kept and count as active.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobState(String);

impl JobState {
    /// In its queue.
    pub const WAITING: &str = "waiting";
    /// Handed to an agent that has not yet named a phase.
    pub const RUNNING: &str = "running";
    /// Ended before its time.
    pub const CANCELLED: &str = "cancelled";
    /// Ended by its agent.
    pub const COMPLETE: &str = "complete";
    /// The same in the words of the search.
    pub const COMPLETED: &str = "completed";

    /// The state with this word, cut at 64 characters.
    #[must_use]
    pub fn new(word: &str) -> Self {
        Self(word.chars().take(64).collect())
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// In its queue (or waiting for its attachments).
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.0 == Self::WAITING
    }

    /// Nothing will happen to the job any more.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        Self::is_finished_word(&self.0)
    }

    /// Whether a word stands for a finished job.
    #[must_use]
    pub fn is_finished_word(word: &str) -> bool {
        matches!(word, Self::CANCELLED | Self::COMPLETE | Self::COMPLETED)
    }

    /// The phase that the state names, if it names one.
    #[must_use]
    pub fn phase(&self) -> Option<Phase> {
        Phase::parse(&self.0)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for JobState {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}
