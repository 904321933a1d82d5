use serde::{Deserialize, Serialize};

/// A client; its id is the key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ClientV1 {
    pub(crate) role: String,
    /// argon2id as a PHC string, or bcrypt as imported; empty when the client has no secret.
    pub(crate) secret_hash: String,
    pub(crate) max_priority: Vec<(String, i64)>,
    pub(crate) max_reservation_time: Vec<(String, i64)>,
    /// `None` until a queue was granted for the first time.
    pub(crate) allowed_queues: Option<Vec<String>>,
    pub(crate) email: Option<String>,
    pub(crate) created_at: i64,
}
super::first_version!(ClientV1, 10);

/// A refresh token; its SHA-256 is the key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RefreshV1 {
    pub(crate) client: String,
    pub(crate) created_at: i64,
    pub(crate) used_at: i64,
    pub(crate) revoked: bool,
}
super::first_version!(RefreshV1, 11);
