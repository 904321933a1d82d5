//! `/v1/queues`

pub(super) mod agents;
pub(super) mod jobs;
pub(super) mod wait_times;
