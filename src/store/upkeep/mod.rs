//! What keeps the whole in order: versions, checks, index rows, retention.

pub mod check;
pub(crate) mod expiry;
pub(crate) mod index;
pub(crate) mod schema;
