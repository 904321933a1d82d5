//! Refresh tokens.

use serde::{Deserialize, Serialize};

use super::{ClientId, Timestamp, plain};

/// A refresh token, without the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refresh {
    /// Whose it is.
    pub client: ClientId,
    /// When it was issued.
    #[serde(with = "plain::exact")]
    pub created_at: Timestamp,
    /// When it was last used.
    #[serde(with = "plain::exact")]
    pub used_at: Timestamp,
    /// It was taken back.
    pub revoked: bool,
}

impl Refresh {
    /// A token that its client gets now.
    #[must_use]
    pub const fn issued(client: ClientId, now: Timestamp) -> Self {
        Self { client, created_at: now, used_at: now, revoked: false }
    }

    /// It was used: its age counts from now.
    #[must_use]
    pub fn used(&self, now: Timestamp) -> Self {
        Self { used_at: now, ..self.clone() }
    }

    /// It was taken back.
    #[must_use]
    pub fn taken_back(&self) -> Self {
        Self { revoked: true, ..self.clone() }
    }
}
