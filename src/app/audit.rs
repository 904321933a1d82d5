//! The audit log: one line for every security event, on the target `audit`, in the words of OWASP's logging vocabulary.
//!
//! A line says what happened, to whom, by whom and from where; never a secret or a token.

use std::net::IpAddr;

/// A security event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A login succeeded.
    LoginSuccess,
    /// A login failed.
    LoginFail,
    /// A login was refused because too many had failed before it.
    RateLimit,
    /// A token was issued.
    TokenCreated,
    /// A refresh token was revoked.
    TokenRevoked,
    /// A revoked refresh token was used.
    TokenReuse,
    /// A token was refused.
    TokenFail,
    /// A request was refused because its caller may not make it.
    AccessFail,
    /// The rights of a client or the owners of a queue were changed.
    AccessChange,
    /// A client was created.
    ClientCreated,
    /// A client was changed.
    ClientUpdated,
    /// A client was removed.
    ClientDeleted,
    /// A secret was written.
    SecretWritten,
    /// A secret was deleted.
    SecretDeleted,
    /// A key was replaced.
    KeyReplaced,
    /// A backup was sent.
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
            Self::SecretWritten => "sensitive_create",
            Self::SecretDeleted => "sensitive_delete",
            Self::KeyReplaced => "sensitive_update",
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

/// Who caused an event, and from where.
#[derive(Clone, Copy, Debug, Default)]
pub struct Source<'a> {
    /// The client, or a word for the local administrator; empty for somebody without a token.
    pub name: &'a str,
    /// The address; `None` for the local administrator.
    pub address: Option<IpAddr>,
}

impl Source<'_> {
    /// Writes a line. `subject` is the client, queue or endpoint that the event is about; text from outside is cut, and
    /// quoted by either format of the log, so that it can neither forge lines nor fill the disk.
    pub fn log(self, event: Event, subject: &str, detail: &str) {
        let (word, by) = (event.word(), self.name);
        let cut =
            |text: &str, most| filled(text).map(|_| text.chars().take(most).collect::<String>());
        let (by, subject, detail) = (filled(by), cut(subject, 128), cut(detail, 512));
        let address = self.address.map(|address| address.to_string());
        if event.is_suspicious() {
            tracing::warn!(target: "audit", event = word, subject, by, address, detail);
        } else {
            tracing::info!(target: "audit", event = word, subject, by, address, detail);
        }
    }
}

/// `None` for an empty text: nothing is recorded for a field that is `None`.
fn filled(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
