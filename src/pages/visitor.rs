//! Who looks at a page, and what they may do there.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;

use super::Pages;
use crate::auth::{Action, policy};
use crate::domain::ClientId;
use crate::http::ApiError;
use crate::http::caller::Caller;

/// Who may look at the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Whoever may look at jobs without a token in the access mode; others log in.
    WithoutToken,
    /// Whoever has logged in.
    LoggedIn,
    /// Everybody; nobody can change anything.
    All,
}

/// Somebody who looks at a page.
#[derive(Clone)]
pub(super) struct Visitor {
    pub(super) caller: Caller,
    /// What forms of this page bring back.
    pub(super) form_token: String,
    /// The path and query of the page.
    pub(super) path: String,
    pub(super) readers: Readers,
    /// The number of the newest change in the lab. It was read before anything of the page, so that no change lies between.
    pub(super) place: u64,
    /// May see more than the login.
    pub(super) may_look: bool,
    pub(super) session: String,
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(ApiError::internal)
    }
}

impl Visitor {
    /// The client that has logged in.
    pub(super) fn client(&self) -> Option<&ClientId> {
        self.caller.by.identity.client()
    }

    /// Whether somebody may change something here, as far as the pages decide that.
    pub(super) fn may_change(&self) -> bool {
        let Caller { by, .. } = &self.caller;
        self.readers != Readers::All
            && policy::check(Action::UseLab, by.access, &by.identity).is_ok()
    }

    /// Whether a form has brought back what this visitor's page gave it.
    pub(super) fn check_form(&self, pages: &Pages, token: &str) -> Result<(), ApiError> {
        if pages.app.is_form_token(&self.session, token) {
            return Ok(());
        }
        let sentence = "This form is not from a page that you have open. Go back, load the page again, and try once more.";
        Err(ApiError::new(StatusCode::FORBIDDEN, sentence))
    }
}
