//! `/v1/agents`

pub(super) mod data;
pub(super) mod history;
pub(super) mod images;
pub(super) mod provision_logs;
pub(super) mod queues;
