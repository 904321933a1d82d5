use serde::{Deserialize, Serialize};

/// An artifact or attachments; the bytes are the file `name`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct BlobV1 {
    pub(crate) name: [u8; 16],
    pub(crate) size: u64,
    pub(crate) sha256: [u8; 32],
    pub(crate) created_at: i64,
}
super::first_version!(BlobV1, 5);
