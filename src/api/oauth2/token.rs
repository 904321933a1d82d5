//! `/v1/oauth2/token`

use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, TRANSFER_ENCODING, USER_AGENT};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde_json::json;

use super::{LIFETIME, access_token, not_stored};
use crate::auth::passwords::Verdict;
use crate::auth::refresh::RefreshToken;
use crate::domain::ClientId;
use crate::http::audit::{self, Event};
use crate::http::body::is_json;
use crate::http::{ApiError, ApiQuery, ApiResult, App, Caller, reply};
use crate::ops;
use crate::store::{Client, ClientReads};

/// A token for whoever knows a client's secret.
pub(in crate::api) async fn issue(
    State(app): State<App>,
    caller: Caller,
    method: Method,
    headers: HeaderMap,
    query: ApiQuery,
) -> ApiResult<Response> {
    let (id, secret) = credentials(&headers)?;
    let client = log_in(&app, &caller, &id, secret).await?;
    let token = access_token(&app, &caller, &client)?;
    if wants_text(&method, &headers, &query) {
        return Ok(not_stored(reply::text(token)));
    }
    let refresh = RefreshToken::generate().map_err(|error| {
        tracing::error!(%error, "no random numbers");
        ApiError::internal()
    })?;
    let (digest, id) = (refresh.digest(), client.id.clone());
    app.write(move |tx, now| ops::remember_refresh(tx, now, &digest, &id)).await?;
    audit::log(Event::TokenCreated, &caller, client.id.as_str(), "refresh token");
    Ok(not_stored(reply::json(&json!({
        "access_token": token,
        "expires_in": LIFETIME,
        "refresh_token": refresh.expose(),
        "token_type": "Bearer",
    }))))
}

/// Which of two answers the caller can read; each generation of clients crashes on the other's (wire contract 3.24).
///
/// The older one and the document's `GET` read the bare token; the older one says that it sends JSON, the newer one
/// sends an empty body and says so. Plain curl says nothing of a body; a proxy that drops an empty body's length must
/// not turn a newer client into curl.
fn wants_text(method: &Method, headers: &HeaderMap, query: &ApiQuery) -> bool {
    match query.first("format") {
        Some("jwt") => return true,
        Some("json") => return false,
        _ => {}
    }
    let says_nothing =
        !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING);
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    method == Method::GET
        || is_json(headers)
        || (says_nothing && !agent.starts_with("python-requests/"))
}

fn refused(message: &str) -> ApiError {
    ApiError::text(StatusCode::UNAUTHORIZED, message)
}

fn wrong() -> ApiError {
    refused("Invalid client id or client key")
}

/// The id and secret of Basic authentication.
fn credentials(headers: &HeaderMap) -> Result<(String, SecretString), ApiError> {
    let header =
        headers.get(AUTHORIZATION).ok_or_else(|| refused("No authorization header specified"))?;
    let header = header.to_str().map_err(|_| wrong())?;
    let (scheme, encoded) = header.split_once(' ').unwrap_or((header, ""));
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(refused("Client id and key must be specified in authorization header"));
    }
    let decoded = STANDARD.decode(encoded.trim()).map_err(|_| wrong())?;
    let decoded = String::from_utf8(decoded).map_err(|_| wrong())?;
    let (id, secret) = decoded.split_once(':').ok_or_else(wrong)?;
    Ok((id.to_owned(), SecretString::from(secret)))
}

/// The client with this id and secret. An unknown id costs the same time as a wrong secret.
async fn log_in(app: &App, caller: &Caller, id: &str, secret: SecretString) -> ApiResult<Client> {
    let throttle = &app.auth().throttle;
    if let Some(address) = caller.address {
        throttle.check(id, address, app.now()).map_err(|wait| {
            audit::log(Event::RateLimit, caller, id, "too many failed logins");
            let message = "Too many failed logins; try again later";
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, message).retry_after(wait.0)
        })?;
    }
    let known = ClientId::try_from(id.to_owned()).ok();
    let client = known.map(|id| app.read(|tx| tx.client(&id))).transpose()?.flatten();
    let hash =
        client.as_ref().map(|client| client.secret_hash.clone()).filter(|hash| !hash.is_empty());
    let verdict = app.verify(hash.clone(), secret.clone()).await?;
    let (Some(client), true) = (client, verdict != Verdict::Mismatch) else {
        if let Some(address) = caller.address {
            throttle.failed(id, address, app.now());
        }
        audit::log(Event::LoginFail, caller, id, "");
        return Err(wrong());
    };
    if let Some(address) = caller.address {
        throttle.succeeded(id, address);
    }
    audit::log(Event::LoginSuccess, caller, id, "");
    if let (Verdict::MatchNeedsRehash, Some(old)) = (verdict, hash) {
        let (new, id) = (app.hash(secret).await?, client.id.clone());
        app.write(move |tx, _| ops::replace_hash(tx, &id, &old, &new)).await?;
    }
    Ok(client)
}
