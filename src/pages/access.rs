//! Who may see a page, and who somebody in a browser is.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{COOKIE, HeaderValue, LOCATION, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::Pages;
use super::shell::{Refusal, Shell};
use crate::app::SESSION_LIFETIME;
use crate::auth::{Action, Identity, policy};
use crate::domain::ClientId;
use crate::http::ApiError;
use crate::http::caller::{Caller, Seen, in_browser, let_in};

const COOKIE_NAME: &str = "testflinger_session";

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
    /// May see more than the login.
    pub(super) may_look: bool,
    session: String,
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

/// Stands before what everybody may see: the login, scripts and styles.
pub(super) async fn greet(State(pages): State<Pages>, request: Request, next: Next) -> Response {
    serve(pages, request, next, true).await
}

/// Stands before all other pages.
pub(super) async fn guard(State(pages): State<Pages>, request: Request, next: Next) -> Response {
    serve(pages, request, next, false).await
}

async fn serve(pages: Pages, mut request: Request, next: Next, greets: bool) -> Response {
    let session = session(request.headers()).unwrap_or_default();
    // A session that has ended, or whose client was changed, is none.
    let identity = if session.is_empty() {
        Identity::Anonymous
    } else {
        pages.app.in_session(&session).unwrap_or_default()
    };
    let caller = match in_browser(&pages.app, identity, &request) {
        Ok(caller) => caller,
        Err(error) => return error.into_response(),
    };
    let uri = request.uri();
    let path = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let denied = may_look(&pages, &caller).err();
    let visitor = Visitor {
        form_token: pages.app.form_token(&session),
        may_look: denied.is_none(),
        readers: pages.readers,
        caller: caller.clone(),
        path,
        session,
    };
    if let (Some(denied), false) = (denied, greets) {
        return match denied {
            policy::Denied::NoToken if request.method() == Method::GET => to_login(&visitor.path),
            denied => Shell::of(&visitor, "Not allowed", "").refuse(&ApiError::from(denied)),
        };
    }
    request.extensions_mut().insert(visitor.clone());
    let name = caller.name();
    let mut response = let_in(&pages.app, caller, greets, request, next).await;
    // All of them count as one route in the metrics.
    let seen = Seen { route: "pages", caller: name };
    if let Some(Refusal(status, sentence)) = response.extensions().get::<Refusal>().cloned() {
        let error = ApiError::new(status, sentence);
        response = Shell::of(&visitor, "Not shown", "").refuse(&error);
    }
    response.extensions_mut().insert(seen);
    response
}

fn may_look(pages: &Pages, caller: &Caller) -> Result<(), policy::Denied> {
    let by = &caller.by;
    match pages.readers {
        Readers::All => Ok(()),
        Readers::LoggedIn if by.identity.client().is_none() => Err(policy::Denied::NoToken),
        _ => policy::check(Action::UseLab, by.access, &by.identity),
    }
}

fn to_login(path: &str) -> Response {
    let next = utf8_percent_encode(path, NON_ALPHANUMERIC);
    see_other(&format!("/login?next={next}"))
}

/// Sends a browser on to another page.
pub(super) fn see_other(path: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(location) = HeaderValue::from_str(path) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// The session in the cookie of a request.
fn session(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE_NAME)
        .map(|(_, value)| value.to_owned())
}

/// Adds the cookie of a session to an answer; an empty one ends the session.
pub(super) fn set_session(mut response: Response, session: &str, is_https: bool) -> Response {
    let age = if session.is_empty() { 0 } else { SESSION_LIFETIME };
    let secure = if is_https { "; Secure" } else { "" };
    let cookie =
        format!("{COOKIE_NAME}={session}; HttpOnly; SameSite=Lax; Path=/; Max-Age={age}{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// Whether a proxy in front of this server says that the browser speaks TLS. It only makes the cookie stricter, so whoever
/// says so may be believed.
pub(super) fn is_https(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").is_some_and(|value| value == "https")
}
