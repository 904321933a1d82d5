//! `/admin`: what exists on the admin socket alone.

pub(super) mod agents;
pub(super) mod backup;
pub(super) mod check;
pub(super) mod client;
pub(super) mod clock;
pub(super) mod drain;
pub(super) mod gc;
pub(super) mod notices;
pub(super) mod queue;
pub(super) mod queues;
pub(super) mod secrets;
pub(super) mod status;
