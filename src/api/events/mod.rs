//! `/v1/events`

pub(super) mod job;
