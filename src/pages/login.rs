//! `/login` and `/logout`

use askama::Template;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use secrecy::SecretString;

use super::Pages;
use super::access::{is_https, see_other, set_session};
use super::filter::Query;
use super::shell::{Shell, Shown, html};
use super::visitor::{Readers, Visitor};
use crate::app;
use crate::http::ApiError;

/// The longest form, bytes.
const LONGEST: usize = 16 << 10;

#[derive(Template)]
#[template(path = "login.html")]
struct Page {
    shell: Shell,
    next: String,
    client: String,
    problem: String,
}

/// The form.
pub(super) async fn form(visitor: Visitor, query: Query) -> Response {
    let next = local(query.get("next"));
    if visitor.client().is_some() {
        return see_other(next);
    }
    let next = next.to_owned();
    let shell = Shell::of(&visitor, "Log in", "");
    html(&Page { shell, next, client: String::new(), problem: String::new() })
}

/// Begins a session for whoever knows a client's secret.
pub(super) async fn log_in(
    State(pages): State<Pages>,
    visitor: Visitor,
    headers: HeaderMap,
    request: Request,
) -> Shown {
    let form = read(request.into_body()).await?;
    visitor.check_form(&pages, form.get("csrf"))?;
    let (client, next) = (form.get("client_id"), local(form.get("next")));
    let secret = SecretString::from(form.get("secret"));
    let (problem, wait) = match pages.app.log_in(client, secret, visitor.caller.source()).await {
        Ok(client) => {
            let session = pages.app.session(&client)?;
            return Ok(set_session(see_other(next), &session, is_https(&headers)));
        }
        Err(app::Error::WrongSecret | app::Error::EmptySecret) => {
            ("The id or the secret is wrong.".to_owned(), None)
        }
        Err(app::Error::TooManyFailures(seconds)) => {
            (format!("Too many logins have failed. Try again in {seconds} seconds."), Some(seconds))
        }
        Err(error) => return Err(error.into()),
    };
    let shell = Shell::of(&visitor, "Log in", "");
    let page = Page { shell, next: next.to_owned(), client: client.to_owned(), problem };
    let mut response = html(&page);
    *response.status_mut() = match wait {
        Some(_) => StatusCode::TOO_MANY_REQUESTS,
        None => StatusCode::UNAUTHORIZED,
    };
    if let Some(seconds) = wait {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    Ok(response)
}

/// Ends the session.
pub(super) async fn log_out(
    State(pages): State<Pages>,
    visitor: Visitor,
    headers: HeaderMap,
    request: Request,
) -> Shown {
    let form = read(request.into_body()).await?;
    visitor.check_form(&pages, form.get("csrf"))?;
    let path = if visitor.readers == Readers::LoggedIn { "/login" } else { "/" };
    Ok(set_session(see_other(path), "", is_https(&headers)))
}

/// The fields of a form.
pub(super) async fn read(body: Body) -> Result<Query, ApiError> {
    let bytes = axum::body::to_bytes(body, LONGEST).await.map_err(|_| ApiError::too_large())?;
    Ok(Query::of(&bytes))
}

/// A path on this server. Anything else would let a link to the login lead elsewhere afterwards.
fn local(next: &str) -> &str {
    let fits =
        next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n']);
    if fits && next.is_ascii() { next } else { "/" }
}
