//! `/v1/oauth2`

pub(super) mod refresh;
pub(super) mod revoke;
pub(super) mod token;

use axum::http::header::{CACHE_CONTROL, HeaderValue};
use axum::response::Response;

use crate::auth::refresh::RefreshToken;
use crate::http::{ApiError, Fields};

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
    Ok(RefreshToken::digest_of(&token.unwrap_or_default()))
}
