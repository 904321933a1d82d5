//! `/v1/oauth2`

pub(super) mod refresh;
pub(super) mod revoke;
pub(super) mod token;

use axum::http::header::{CACHE_CONTROL, HeaderValue};
use axum::response::Response;

use crate::auth::{jwt, refresh as refresh_token};
use crate::http::audit::{self, Event};
use crate::http::{ApiError, ApiResult, App, Caller, Fields};
use crate::store::Client;

/// How long an access token lives, seconds.
const LIFETIME: u32 = 600;

/// A signed access token with the client's rights as they are now.
fn access_token(app: &App, caller: &Caller, client: &Client) -> ApiResult<String> {
    let queues = client.allowed_queues.iter().flatten().map(ToString::to_string).collect();
    let permissions = jwt::Permissions {
        client_id: client.id.to_string(),
        role: client.role.as_str().to_owned(),
        max_priority: client.max_priority.clone(),
        allowed_queues: queues,
        max_reservation_time: client.max_reservation_time.clone(),
        email: client.email.clone(),
        since: Some(app.auth().since(client)),
    };
    let token = jwt::issue(&app.auth().key, permissions, app.now(), LIFETIME).map_err(|error| {
        tracing::error!(client = %client.id, %error, "no token can be issued");
        ApiError::internal()
    })?;
    audit::log(Event::TokenCreated, caller, client.id.as_str(), "access token");
    Ok(token)
}

/// A token for its client's eyes only (RFC 6749, 5.1): no proxy may keep it.
fn not_stored(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The digest of the refresh token in a body.
fn digest(mut body: Fields) -> Result<[u8; 32], ApiError> {
    body.only(&["refresh_token"]);
    body.require("refresh_token");
    let token = body.string("refresh_token");
    if token.as_deref() == Some("") {
        body.refuse("refresh_token", "Shorter than minimum length 1.");
    }
    body.finish()?;
    Ok(refresh_token::RefreshToken::digest_of(&token.unwrap_or_default()))
}
