//! What keeps the whole in order: versions, checks, index rows, retention.

pub(crate) mod census;
pub mod check;
pub(crate) mod due;
pub(crate) mod expiry;
mod fault;
pub(crate) mod index;
pub(crate) mod pace;
mod repair;
pub(crate) mod schema;
mod tally;
