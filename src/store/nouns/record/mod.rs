//! Stored shapes: the bytes on disk. Never edited once released; see `codec`.
//!
//! Times are microseconds since the epoch, ids 16 bytes. Conversions from and to the domain live here.

mod agent;
mod blob;
mod client;
mod history;
mod job;
mod log;
mod queue;
#[cfg(test)]
mod tests;

pub(crate) use agent::{AgentLogV1, AgentV1, ProvisionV1};
pub(crate) use blob::BlobV1;
pub(crate) use client::{ClientV1, RefreshV1};
pub(crate) use history::HistoryV1;
pub(crate) use job::JobV1;
pub(crate) use log::LogTailV1;
pub(crate) use queue::QueueV1;

/// Declares a first version: its tag, and that nothing came before it.
macro_rules! first_version {
    ($record:ty, $tag:literal) => {
        impl crate::store::engine::codec::Record for $record {
            const TAG: u8 = $tag;
            const VERSION: u8 = 1;
            type Previous = crate::store::engine::codec::NoPrevious;

            fn upgrade(previous: Self::Previous) -> Self {
                match previous {}
            }
        }
    };
}
use first_version;
