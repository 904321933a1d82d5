//! Names and ids as keys.

use crate::domain::{AgentName, ClientId, JobId, QueueName};
use crate::store::engine::{Error, Key, name_in};

macro_rules! keys {
    ($($name:ident),*) => {
        $(impl $name {
            /// The key that is this name.
            pub(crate) fn key(&self) -> Key {
                Key::new().text(self.as_str())
            }

            /// The beginning of the keys in which something follows this name.
            pub(crate) fn prefix(&self) -> Key {
                Key::new().name(self.as_str())
            }

            /// The name that stored bytes are.
            pub(crate) fn stored(bytes: &[u8]) -> Result<Self, Error> {
                name_in(bytes).map(Self::trusted)
            }
        })*
    };
}
keys!(AgentName, ClientId, QueueName);

impl JobId {
    /// The key that is this id, and the beginning of those in which something follows it.
    pub(crate) fn key(&self) -> Key {
        Key::new().raw(self.as_bytes())
    }

    /// The id that stored bytes begin with.
    pub(crate) fn stored(bytes: &[u8]) -> Result<Self, Error> {
        bytes.first_chunk().map_or_else(
            || Err(Error::Corrupt("there is no job id".to_owned())),
            |id| Ok(Self::from_bytes(*id)),
        )
    }
}
