use serde::{Deserialize, Serialize};

/// An artifact or attachments; the bytes are the file `name`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::store) struct BlobV1 {
    pub(in crate::store) name: [u8; 16],
    pub(in crate::store) size: u64,
    pub(in crate::store) sha256: [u8; 32],
    pub(in crate::store) created_at: i64,
}
super::first_version!(BlobV1, 5);
