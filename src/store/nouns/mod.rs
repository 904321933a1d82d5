//! What is kept of each noun: its rows, its index rows and its records, with what can be read and written.

pub(crate) mod agent;
pub(crate) mod aging;
pub(crate) mod alert;
pub(crate) mod blob;
pub(crate) mod client;
pub(crate) mod history;
pub(crate) mod job;
pub(crate) mod log;
mod names;
pub(crate) mod notice;
pub(crate) mod queue;
pub(crate) mod result;
mod rules;
pub(crate) mod secret;
#[cfg(test)]
mod tests;
mod wait;
mod whole;

pub use agent::AgentReads;
pub use alert::AlertReads;
pub use blob::BlobReads;
pub use client::ClientReads;
pub use history::HistoryReads;
pub use job::lines::Lines;
pub use job::{Ask, JobCounts, JobReads, JobsOf, Listed};
pub use log::LogReads;
pub use notice::{NoticeReads, Tray};
pub use queue::QueueReads;
pub use result::{CHUNK, Member, ResultReads};
pub use rules::RuleReads;
pub use secret::SecretReads;
pub use wait::WaitReads;
pub use whole::{LogEnd, Whole};
