//! Request bodies: read up to a limit, and as JSON.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::{BodyExt, Limited};
use serde_json::value::RawValue;

use super::error::{ApiError, ApiResult, Place};
use super::json;
use super::shape::{self, Input, Members, Size};
use crate::app::App;

/// The largest body, in bytes, that is read on a thread that serves requests: that takes less than a millisecond.
const AT_ONCE: usize = 64 * 1024;

/// What the JSON object of a request says. A body of another content type counts as an empty object, as the servers
/// before this one read it.
pub struct ApiJson<T>(pub T);

impl<T: Input + Send + 'static> FromRequest<App> for ApiJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let limit = match T::SIZE {
            Size::Small => 64 << 10,
            Size::Medium => 1 << 20,
            Size::Usual => app.limits().json,
            Size::Result => app.limits().result,
        };
        let (parts, body) = request.into_parts();
        let body = read(&parts.headers, body, limit).await?;
        let body = if is_json(&parts.headers) { body } else { Bytes::new() };
        if body.len() <= AT_ONCE {
            return from_json(&body).map(Self);
        }
        app.blocking(move || from_json(&body)).await?.map(Self)
    }
}

fn from_json<T: Input>(body: &[u8]) -> ApiResult<T> {
    let bad = || ApiError::bad_request("Bad Request");
    let text = std::str::from_utf8(body).map_err(|_| bad())?;
    let text = json::readable(if text.is_empty() { "{}" } else { text })
        .map_err(|error| ApiError::bad_request(error.to_string()))?;
    serde_json::from_str::<&RawValue>(&text).map_err(|_| bad())?;
    shape::read(Place::Body, Members::parse(&text))
}

/// The whole body.
///
/// # Errors
/// 413 when it is larger than `limit`, at once where `Content-Length` tells; 400 when it breaks off.
pub async fn read(headers: &HeaderMap, body: Body, limit: u64) -> Result<Bytes, ApiError> {
    check_length(headers, limit)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(ApiError::too_large()),
        Err(_) => Err(ApiError::bad_request("The request body broke off")),
    }
}

/// Refuses a body that says itself that it is too large.
///
/// # Errors
/// 413.
pub fn check_length(headers: &HeaderMap, limit: u64) -> Result<(), ApiError> {
    let length =
        headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit) { Err(ApiError::too_large()) } else { Ok(()) }
}

/// Whether the content type is `application/json` or `application/*+json`, with any parameters.
#[must_use]
pub fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}
