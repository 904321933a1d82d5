//! `/v1/oauth2/token`

use axum::extract::State;
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, TRANSFER_ENCODING, USER_AGENT};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

use super::NOT_STORED;
use crate::api::wire::token::{Form, Tokens};
use crate::app::App;
use crate::http::body::is_json;
use crate::http::{Answer, ApiError, ApiQuery, ApiResult, Caller, reply};

/// A token for whoever knows a client's secret: both tokens as an object, or the access token alone as text.
pub(in crate::api) async fn issue(
    State(app): State<App>,
    caller: Caller,
    method: Method,
    headers: HeaderMap,
    ApiQuery(form): ApiQuery<Form>,
) -> ApiResult<Answer<Tokens<'static>>> {
    let (id, secret) = credentials(&headers)?;
    let client = app.log_in(&id, secret, caller.source()).await?;
    let token = app.access_token(&client, caller.source())?;
    if wants_text(&method, &headers, &form) {
        return Ok(Answer::from(reply::text(token)).header(NOT_STORED));
    }
    let refresh = app.refresh_token(&client, caller.source()).await?;
    Ok(Answer::of(&Tokens::new(&token, Some(refresh.expose()))).header(NOT_STORED))
}

/// `HEAD` issues nothing, and looks at no secret: whoever could tell the answers apart could guess without being slowed
/// down.
pub(in crate::api) async fn head() -> Response {
    reply::nothing()
}

/// Which of two answers the caller can read, because each generation of clients crashes on the answer that is meant for
/// the other one: docs/API.md, "POST /v1/oauth2/token".
///
/// Clients of 2025 and callers of `GET` read the bare token. Clients of 2025 send a body in JSON; those of 2026 send an
/// empty one and say so, some with the content type that their HTTP library gives to every request. Plain curl says
/// nothing about a body. A proxy that drops the length of an empty body must not make a client of 2026 look like curl.
fn wants_text(method: &Method, headers: &HeaderMap, form: &Form) -> bool {
    match form.format.as_deref() {
        Some("jwt") => return true,
        Some("json") => return false,
        _ => {}
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if text(ACCEPT).split(',').any(|kind| kind.trim().starts_with("application/json")) {
        return false;
    }
    let (length, chunked) = (text(CONTENT_LENGTH), headers.contains_key(TRANSFER_ENCODING));
    let has_body = chunked || !["", "0"].contains(&length);
    let says_nothing = length.is_empty() && !chunked && !is_json(headers);
    method == Method::GET
        || (has_body && is_json(headers))
        || (says_nothing && !text(USER_AGENT).starts_with("python-requests/"))
}

fn refused(message: &str) -> ApiError {
    ApiError::text(StatusCode::UNAUTHORIZED, message)
}

/// The id and secret of Basic authentication.
fn credentials(headers: &HeaderMap) -> Result<(String, SecretString), ApiError> {
    let header =
        headers.get(AUTHORIZATION).ok_or_else(|| refused("No authorization header specified"))?;
    let header = header.to_str().map_err(|_| ApiError::wrong_secret())?;
    let (scheme, encoded) = header.split_once(' ').unwrap_or((header, ""));
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(refused("Client id and key must be specified in authorization header"));
    }
    let decoded = STANDARD.decode(encoded.trim()).map_err(|_| ApiError::wrong_secret())?;
    let decoded = String::from_utf8(decoded).map_err(|_| ApiError::wrong_secret())?;
    let (id, secret) = decoded.split_once(':').ok_or_else(ApiError::wrong_secret)?;
    Ok((id.to_owned(), SecretString::from(secret)))
}
