//! Answers.

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::json;

/// `application/json`, without a charset, as upstream.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A value as JSON, with a newline at the end.
pub fn json(value: &impl Serialize) -> Response {
    json_text(json::text(value))
}

/// JSON text, with a newline at the end.
#[must_use]
pub fn json_text(mut text: String) -> Response {
    text.push('\n');
    ([(CONTENT_TYPE, JSON)], text).into_response()
}

/// JSON that is made while it is sent.
#[must_use]
pub fn json_stream(body: Body) -> Response {
    ([(CONTENT_TYPE, JSON)], body).into_response()
}

/// A sentence. `text/html` is what upstream says of all its sentences.
pub fn text(text: impl Into<String>) -> Response {
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    ([(CONTENT_TYPE, html)], text.into()).into_response()
}

/// "OK".
#[must_use]
pub fn ok() -> Response {
    text("OK")
}

/// 204.
#[must_use]
pub fn nothing() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
