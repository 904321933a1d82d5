//! Refresh tokens.

use super::{ClientId, Timestamp};

/// A refresh token, without the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// Whose it is.
    pub client: ClientId,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When it was last used.
    pub used_at: Timestamp,
    /// It was taken back.
    pub revoked: bool,
}
