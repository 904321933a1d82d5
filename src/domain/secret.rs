//! Secrets that jobs may use: values that a client keeps here, each under a path of its own.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ClientId, Timestamp, plain};

/// The longest path, bytes.
const LONGEST: usize = 512;

/// The place of a secret in its client's name space, such as `wifi/password`: words of letters, digits, `_` and `-`,
/// separated by slashes. So it never begins or ends with a slash, and never has a `..`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct SecretPath(String);

/// A text is not a path of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a secret's path has words of letters, digits, '_' and '-', separated by '/', and at most {LONGEST} bytes"
)]
pub struct BadSecretPath;

impl SecretPath {
    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A path read back from the store, where only valid paths are written.
    pub(crate) fn trusted(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl TryFrom<String> for SecretPath {
    type Error = BadSecretPath;

    fn try_from(text: String) -> Result<Self, BadSecretPath> {
        let word = |word: &str| {
            !word.is_empty()
                && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        if text.len() <= LONGEST && text.split('/').all(word) {
            Ok(Self(text))
        } else {
            Err(BadSecretPath)
        }
    }
}

impl fmt::Display for SecretPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SecretPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A secret of a client. Its value is sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// Whose it is.
    pub client: ClientId,
    /// Where.
    pub path: SecretPath,
    /// The sealed value.
    pub sealed: SealedBytes,
    /// When it was written.
    #[serde(with = "plain::exact")]
    pub written_at: Timestamp,
    /// When it ends; `None` for never.
    #[serde(with = "plain::exact_if_any")]
    pub expires_at: Option<Timestamp>,
    /// The first claim of a job that uses it takes it away.
    pub ephemeral: bool,
}

impl Secret {
    /// Whether it can still be used.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

/// A secret that a job uses: an environment variable of its test gets the value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSecret {
    /// The variable.
    pub variable: String,
    /// Whose secret it is.
    pub client: ClientId,
    /// Which of them.
    pub path: SecretPath,
    /// The sealed value as the job's agent got it; `None` before the claim, and when there was none.
    pub sealed: Option<SealedBytes>,
    /// It was a secret that is read once: this copy is all that is left of it.
    pub taken: bool,
}

/// What a secret's value is sealed for: it opens nowhere else.
#[must_use]
pub fn seal_place(client: &ClientId, path: &SecretPath) -> Vec<u8> {
    // A client's id has no control characters, so that this cannot be read in two ways.
    [client.as_str().as_bytes(), b"\0", path.as_str().as_bytes()].concat()
}

/// The bytes of a sealed value.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedBytes(pub Vec<u8>);

impl fmt::Debug for SealedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedBytes({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_words_between_slashes() {
        let ok = |text: &str| SecretPath::try_from(text.to_owned()).is_ok();
        for good in ["a", "wifi/password", "A-b_9/x/y", &"x".repeat(LONGEST)] {
            assert!(ok(good), "{good}");
        }
        for bad in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            "..",
            "a/../b",
            "a b",
            "é",
            "a\0",
            "a.b",
            &"x".repeat(LONGEST + 1),
        ] {
            assert!(!ok(bad), "{bad:?}");
        }
    }
}
