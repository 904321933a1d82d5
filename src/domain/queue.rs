//! Queues as agents advertise them.

use serde::{Deserialize, Serialize};

use super::{QueueName, Timestamp, plain};

/// A queue that was advertised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advertised {
    /// Its name.
    pub name: QueueName,
    /// What its agents say about it.
    pub description: String,
    /// When it was last advertised; `None` when only images were posted for it: it then never expires, as upstream.
    #[serde(with = "plain::exact_if_any")]
    pub updated_at: Option<Timestamp>,
}
