//! `/v1/result`

pub(super) mod artifact;
pub(super) mod post;
pub(super) mod show;
