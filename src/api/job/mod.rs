//! `/v1/job`

pub(super) mod action;
pub(super) mod attachments;
pub(super) mod claim;
pub(super) mod events;
pub(super) mod pin;
pub(super) mod position;
pub(super) mod search;
pub(super) mod show;
pub(super) mod status;
pub(super) mod stream;
pub(super) mod submit;
