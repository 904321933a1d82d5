//! The audit log: one line for every security event, on the target `audit`, in the words of OWASP's logging vocabulary.
//!
//! A line says what happened, to whom, by whom and from where; never a secret or a token.

use super::caller::Caller;

/// A security event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A client logged in.
    LoginSuccess,
    /// Somebody tried to.
    LoginFail,
    /// Somebody tried too often.
    RateLimit,
    /// A token was issued.
    TokenCreated,
    /// A refresh token was taken back.
    TokenRevoked,
    /// A token that was taken back was used.
    TokenReuse,
    /// A token was refused.
    TokenFail,
    /// Somebody asked for what they may not do.
    AccessFail,
    /// What somebody may do was changed.
    AccessChange,
    /// A client was created.
    ClientCreated,
    /// A client was changed.
    ClientUpdated,
    /// A client was removed.
    ClientDeleted,
    /// Somebody took everything home.
    Backup,
}

impl Event {
    const fn word(self) -> &'static str {
        match self {
            Self::LoginSuccess => "authn_login_success",
            Self::LoginFail => "authn_login_fail",
            Self::RateLimit => "excess_rate_limit_exceeded",
            Self::TokenCreated => "authn_token_created",
            Self::TokenRevoked => "authn_token_revoked",
            Self::TokenReuse => "authn_token_reuse",
            Self::TokenFail => "authn_token_fail",
            Self::AccessFail => "authz_fail",
            Self::AccessChange => "authz_change",
            Self::ClientCreated => "user_created",
            Self::ClientUpdated => "user_updated",
            Self::ClientDeleted => "user_deleted",
            Self::Backup => "data_backup",
        }
    }

    const fn is_suspicious(self) -> bool {
        matches!(
            self,
            Self::LoginFail
                | Self::RateLimit
                | Self::TokenReuse
                | Self::TokenFail
                | Self::AccessFail
        )
    }
}

/// Writes a line. `subject` is the client, queue or endpoint that the event is about; text from outside is cut, and quoted
/// by either format of the log, so that it can neither forge lines nor fill the disk.
pub fn log(event: Event, caller: &Caller, subject: &str, detail: &str) {
    let word = event.word();
    let subject: String = subject.chars().take(128).collect();
    let by = caller.name();
    let address = caller.address.map(|address| address.to_string()).unwrap_or_default();
    if event.is_suspicious() {
        tracing::warn!(target: "audit", event = word, subject, by, address, detail);
    } else {
        tracing::info!(target: "audit", event = word, subject, by, address, detail);
    }
}
