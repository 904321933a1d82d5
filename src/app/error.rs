//! Why the application did not do something, in words that know nothing of HTTP.

use crate::auth::Denied;
use crate::auth::jwt::TokenError;
use crate::{ops, store};

/// Why the application did not do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A use case refused it, or the store failed.
    #[error(transparent)]
    Ops(#[from] ops::Error),
    /// The caller may not do it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The caller's access token is not valid.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// There is no client with this id and secret.
    #[error("the client's id or secret is wrong")]
    WrongSecret,
    /// Too many logins have failed; another try makes sense after this many seconds.
    #[error("too many logins have failed")]
    TooManyFailures(u64),
    /// Too many secrets are being hashed or checked at this moment.
    #[error("too many secrets are being checked at once")]
    TooManyLogins,
    /// The check of a secret takes longer than its caller waits; it goes on.
    #[error("the check of the secret takes minutes")]
    SlowLogin,
    /// The check of a secret would take hours, so it was not begun.
    #[error("the check of the secret would take hours")]
    HopelessLogin,
    /// The requests and answers that are under way take all memory that they may.
    #[error("too much is in flight")]
    TooMuchInFlight,
    /// As many watch as may.
    #[error("too many watch already")]
    TooManyWatchers,
    /// An empty secret is never hashed.
    #[error("a secret must not be empty")]
    EmptySecret,
    /// Backups and checks are made one at a time.
    #[error("a backup or a check is under way")]
    BackupUnderWay,
    /// The key of secrets is being replaced already.
    #[error("the key of secrets is being replaced already")]
    ReplacingKey,
    /// The server itself failed; the cause is in its log.
    #[error("the server failed")]
    Internal,
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        ops::Error::from(error).into()
    }
}

/// What the application answers.
pub type Result<T> = std::result::Result<T, Error>;
