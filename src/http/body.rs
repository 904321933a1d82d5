//! Request bodies: read up to a limit, and as JSON.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::{BodyExt, Limited};

use super::error::ApiError;
use super::fields::Fields;
use crate::app::App;

/// The JSON object of a request. A body of another content type counts as an empty object, as upstream reads it.
pub struct ApiJson(pub Fields);

impl FromRequest<App> for ApiJson {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        fields(request, app.limits().json).await.map(Self)
    }
}

/// The JSON object of a result, which may be larger.
pub struct ResultJson(pub Fields);

impl FromRequest<App> for ResultJson {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        fields(request, app.limits().result).await.map(Self)
    }
}

async fn fields(request: Request, limit: u64) -> Result<Fields, ApiError> {
    let (parts, body) = request.into_parts();
    let body = read(&parts.headers, body, limit).await?;
    if is_json(&parts.headers) { Fields::parse(&body) } else { Ok(Fields::default()) }
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
