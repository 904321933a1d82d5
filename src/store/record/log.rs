use serde::{Deserialize, Serialize};

/// Where a job's log ends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::store) struct LogTailV1 {
    /// The number of the next fragment that comes without one.
    pub(in crate::store) next_fragment: i64,
    /// The number of the next piece in the drain.
    pub(in crate::store) next_piece: u64,
    /// When something was last added.
    pub(in crate::store) at: i64,
}
super::first_version!(LogTailV1, 9);
