//! Sessions of people who use the pages in a browser.
//!
//! A session is a signed text in a cookie: who it is, and until when. What they may do is read from the store at each
//! request, so a client that was changed has its new rights at once, and one that was deleted or has a new secret has no
//! session any more. The keys are derived from the one that signs access tokens, and neither is good for the other.

use subtle::ConstantTimeEq as _;

use super::{App, Error, Result};
use crate::auth::jwt::{self, SigningKey};
use crate::auth::{Identity, Permissions};
use crate::domain::Client;
use crate::ops;
use crate::store::ClientReads;

/// How long a session lasts, seconds.
pub const SESSION_LIFETIME: u32 = 12 * 60 * 60;

impl App {
    fn session_key(&self) -> SigningKey {
        self.auth().key.for_purpose("sessions of pages")
    }

    /// A session of a client that has just logged in.
    pub fn session(&self, client: &Client) -> Result<String> {
        let mut claims = ops::claims(client, self.auth().incarnation(client));
        // Cookies must be short.
        claims.max_priority.clear();
        claims.max_reservation_time.clear();
        claims.allowed_queues.clear();
        claims.email = None;
        jwt::issue(&self.session_key(), claims, self.now(), SESSION_LIFETIME).map_err(|error| {
            tracing::error!(client = %client.id, %error, "no session can be begun");
            Error::Internal
        })
    }

    /// Who has a session, with the rights that the client has now.
    pub fn in_session(&self, session: &str) -> Result<Identity> {
        let claims = jwt::verify(&self.session_key(), session, self.now(), 0)?;
        let said = Permissions::from_claims(claims.permissions).ok_or(jwt::TokenError::Invalid)?;
        let client = self.read(|tx| tx.client(&said.client))?.ok_or(jwt::TokenError::Invalid)?;
        let ours = self.auth().incarnation(&client);
        if said.since.as_ref() != Some(&ours) {
            return Err(jwt::TokenError::Outdated.into());
        }
        let now = Permissions::from_claims(ops::claims(&client, ours));
        Ok(Identity::Client(now.ok_or(jwt::TokenError::Invalid)?))
    }

    /// What a form of a page must bring back, so that no page of another site can send it. Everybody without a session has
    /// the same.
    #[must_use]
    pub fn form_token(&self, session: &str) -> String {
        self.auth().key.for_purpose("forms of pages").seal_of(session)
    }

    /// Whether a form has brought it back.
    #[must_use]
    pub fn is_form_token(&self, session: &str, token: &str) -> bool {
        self.form_token(session).as_bytes().ct_eq(token.as_bytes()).into()
    }
}
