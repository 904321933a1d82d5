//! `/v1/result`

pub(super) mod artifact;
pub(super) mod drain;
pub(super) mod log;
mod pieces;
pub(super) mod post;
pub(super) mod show;
