//! What goes over the wire: lenient, unknown members kept. Conversions from and to the domain live here.

pub(super) mod agent;
pub(super) mod client;
pub(super) mod event;
pub(super) mod job;
pub(super) mod log;
pub(super) mod queue;
pub(super) mod result;
