//! Queues as agents advertise them.

use super::{QueueName, Timestamp};

/// A queue that was advertised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertised {
    /// Its name.
    pub name: QueueName,
    /// What its agents say about it.
    pub description: String,
    /// When it was last advertised; `None` when only images were posted for it: it then never expires, as upstream.
    pub updated_at: Option<Timestamp>,
}
