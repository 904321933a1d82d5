//! Job ids.

use std::fmt;

use uuid::Uuid;

/// Names odd spellings of ids apart from the ids themselves (see [`JobId::from_path`]).
const SPELLINGS: Uuid = Uuid::from_u128(0x7c1d_0c1e_5a7f_4c52_9d0a_3a1d_6f1f_2b5e);

/// Names the ids of jobs that were submitted with a key apart from all others.
const KEYS: Uuid = Uuid::from_u128(0x2f6e_81d4_90b3_4d6e_8c57_1b0a_c4e9_7d32);

/// The id of a job: a UUID, printed in lower case with dashes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(Uuid);

impl JobId {
    /// A new id. Ids of one server grow with time, so that records are added at the end of their table.
    #[must_use]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id that a client gave for a job of its own; any spelling of a UUID names that UUID.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }

    /// The id in a path. Every spelling of a UUID is a valid id, yet only the canonical one finds a job: upstream
    /// looks ids up as text. Another spelling therefore becomes an id of its own, the same one each time.
    #[must_use]
    pub fn from_path(text: &str) -> Option<Self> {
        let id = Self::parse(text)?;
        if id.to_string() == text {
            Some(id)
        } else {
            Some(Self(Uuid::new_v5(&SPELLINGS, text.as_bytes())))
        }
    }

    /// The id under which something about this job is kept apart from the job, for somebody of this name.
    #[must_use]
    pub fn apart(&self, whose: &str) -> Self {
        Self(Uuid::new_v5(&self.0, whose.as_bytes()))
    }

    /// The `n`-th id for a key that a submitter chose. The submitter's name keeps equal keys of others apart.
    #[must_use]
    pub fn of_key(submitter: &str, key: &str, n: u32) -> Self {
        Self(Uuid::new_v5(&KEYS, format!("{n} {submitter}\n{key}").as_bytes()))
    }

    /// The 16 bytes of the id, in the order in which ids sort.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id with these 16 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl Default for JobId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0.as_hyphenated(), f)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for JobId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_spelling_in_a_path_finds_the_job() {
        let id = JobId::new();
        let text = id.to_string();
        assert_eq!(JobId::from_path(&text), Some(id));
        for odd in [
            text.to_uppercase().replace(|c: char| c.is_ascii_digit(), "A"),
            format!("{{{text}}}"),
            format!("urn:uuid:{text}"),
            text.replace('-', ""),
        ] {
            let other = JobId::from_path(&odd);
            assert!(other.is_some(), "{odd}");
            assert_ne!(other, Some(id), "{odd}");
            assert_eq!(other, JobId::from_path(&odd), "{odd}");
        }
        assert_eq!(JobId::from_path("not-a-uuid"), None);
    }

    #[test]
    fn new_ids_grow() {
        let ids: Vec<JobId> = (0..1000).map(|_| JobId::new()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
