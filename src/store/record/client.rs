use serde::{Deserialize, Serialize};

/// A client; its id is the key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::store) struct ClientV1 {
    pub(in crate::store) role: String,
    /// argon2id as a PHC string, or bcrypt as imported; empty when the client has no secret.
    pub(in crate::store) secret_hash: String,
    pub(in crate::store) max_priority: Vec<(String, i64)>,
    pub(in crate::store) max_reservation_time: Vec<(String, i64)>,
    /// `None` until a queue was granted for the first time.
    pub(in crate::store) allowed_queues: Option<Vec<String>>,
    pub(in crate::store) email: Option<String>,
    pub(in crate::store) created_at: i64,
}
super::first_version!(ClientV1, 10);

/// A refresh token; its SHA-256 is the key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::store) struct RefreshV1 {
    pub(in crate::store) client: String,
    pub(in crate::store) created_at: i64,
    pub(in crate::store) used_at: i64,
    pub(in crate::store) revoked: bool,
}
super::first_version!(RefreshV1, 11);
