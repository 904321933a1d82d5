//! Names of queues, agents, tags and clients.

use std::fmt;

/// The longest name in bytes. A name is part of index keys, which must stay short.
pub const MAX_NAME: usize = 1024;

/// Why a text is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is longer than [`MAX_NAME`] bytes.
    #[error("Longer than maximum length {MAX_NAME}.")]
    TooLong,
    /// The text has a control character where none may stand.
    #[error("String does not match expected pattern.")]
    ControlCharacter,
    /// The text has a character that a client's id cannot have.
    #[error("String does not match expected pattern: no '/' and no ':' is possible.")]
    Separator,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// A name read back from the store, where only valid names are written.
            pub(crate) fn trusted(text: impl Into<String>) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

macro_rules! any_text {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                if text.len() > MAX_NAME {
                    return Err(NameError::TooLong);
                }
                Ok(Self(text))
            }
        }
    };
}

name!(
    /// A queue's name: any text, the empty one too (upstream accepts `?queue=`).
    QueueName
);
any_text!(QueueName);
name!(
    /// An agent's name: any text that fits into a path segment.
    AgentName
);
any_text!(AgentName);
name!(
    /// A tag of a job: any text.
    Tag
);
any_text!(Tag);
name!(
    /// A client's id: text without control characters (it stands in logs, headers and prompts), not empty; no slash, so
    /// that a path can name it, and no colon, so that it can log in (Basic authentication ends the id there).
    ClientId
);

impl TryFrom<String> for ClientId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        if text.len() > MAX_NAME {
            return Err(NameError::TooLong);
        }
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(NameError::ControlCharacter);
        }
        if text.contains(['/', ':']) {
            return Err(NameError::Separator);
        }
        Ok(Self(text))
    }
}
