use serde::{Deserialize, Serialize};

/// A queue that agents advertised; its name is the key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct QueueV1 {
    pub(crate) description: String,
    /// When it was last advertised; `None` for one that only images were posted for, which upstream never expires.
    pub(crate) updated_at: Option<i64>,
}
super::first_version!(QueueV1, 7);
