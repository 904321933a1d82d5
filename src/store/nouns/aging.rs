//! The rows of `Table::Expiry`: what has an age, and from when on it counts.

use crate::domain::Timestamp;
use crate::store::engine::Key;

/// What has an age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A job that has ended.
    Job,
    /// What was posted for a job that is unknown.
    Result,
    /// An artifact or attachments.
    Blob,
    /// An agent.
    Agent,
    /// An advertised queue.
    Queue,
    /// A refresh token.
    Refresh,
    /// The text of a log that can be read only once.
    Drain,
    /// Its time is when it ends, because each secret has an age of its own.
    Secret,
}

impl Kind {
    pub(crate) const ALL: [Self; 8] = [
        Self::Job,
        Self::Result,
        Self::Blob,
        Self::Agent,
        Self::Queue,
        Self::Refresh,
        Self::Drain,
        Self::Secret,
    ];

    pub(crate) const fn byte(self) -> u8 {
        match self {
            Self::Job => b'j',
            Self::Result => b'r',
            Self::Blob => b'b',
            Self::Agent => b'a',
            Self::Queue => b'q',
            Self::Refresh => b't',
            Self::Drain => b'd',
            Self::Secret => b's',
        }
    }

    /// Whether an expiry row is of this kind.
    pub(crate) fn owns(self, row: &[u8]) -> bool {
        row.first() == Some(&self.byte())
    }

    /// The row of something whose age counts from `since`.
    pub(crate) fn key(self, since: Timestamp, key: &[u8]) -> Key {
        Key::new().byte(self.byte()).signed(since.as_micros()).raw(key)
    }
}

/// The kind of an expiry row and what it is about, without the time.
pub(crate) fn split(key: &[u8]) -> (Option<u8>, &[u8]) {
    (key.first().copied(), key.get(9..).unwrap_or_default())
}
