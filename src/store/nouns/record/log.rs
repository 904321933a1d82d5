use serde::{Deserialize, Serialize};

/// Where a job's log ends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LogTailV1 {
    /// The number of the next fragment that comes without one.
    pub(crate) next_fragment: i64,
    /// The number of the next piece in the drain.
    pub(crate) next_piece: u64,
    /// When something was last added.
    pub(crate) at: i64,
}
super::first_version!(LogTailV1, 9);
