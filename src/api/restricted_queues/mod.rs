//! `/v1/restricted-queues`

pub(super) mod add_owner;
pub(super) mod list;
pub(super) mod remove_owner;
pub(super) mod show;
