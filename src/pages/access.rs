//! Stands before the pages: finds out who somebody in a browser is, and lets in who may look.

use axum::extract::{Request, State};
use axum::http::header::{COOKIE, HeaderValue, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::Pages;
use super::shell::{Refusal, Shell};
use super::visitor::{Readers, Visitor};
use crate::app::SESSION_LIFETIME;
use crate::auth::{Action, Identity, policy};
use crate::http::ApiError;
use crate::http::caller::{Caller, Seen, in_browser, let_in};

const COOKIE_NAME: &str = "testflinger_session";

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
    let caller = match in_browser(&pages.app, who(&pages, &session), &request) {
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
        place: pages.app.newest_change(),
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

/// Who has a session. One that has ended, or whose client was changed, is none.
fn who(pages: &Pages, session: &str) -> Identity {
    if session.is_empty() {
        return Identity::Anonymous;
    }
    pages.app.in_session(session).unwrap_or_default()
}

/// Whether somebody who was let in long ago would still be.
pub(super) fn may_still_look(pages: &Pages, visitor: &Visitor) -> bool {
    let mut caller = visitor.caller.clone();
    caller.by.identity = who(pages, &visitor.session);
    may_look(pages, &caller).is_ok()
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
