//! `ETag` and `If-None-Match`: a caller that asks again learns cheaply that nothing has changed.

use axum::http::header::{ETAG, HeaderValue, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The tag of an answer. It is weak, because the same answer may be sent compressed.
pub struct Tag(HeaderValue);

impl Tag {
    /// A tag that changes whenever `fingerprint` does.
    #[must_use]
    pub fn of(fingerprint: &[u8; 32]) -> Self {
        let text = format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(&fingerprint[..18]));
        Self(HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("W/\"\"")))
    }

    /// 304, if the caller has the answer with this tag already.
    #[must_use]
    pub fn not_modified(&self, headers: &HeaderMap) -> Option<Response> {
        let known = headers.get_all(IF_NONE_MATCH).iter().any(|list| names(list, &self.0));
        known.then(|| self.on(StatusCode::NOT_MODIFIED.into_response()))
    }

    /// The answer with this tag on it.
    #[must_use]
    pub fn on(&self, mut response: Response) -> Response {
        response.headers_mut().insert(ETAG, self.0.clone());
        response
    }
}

/// Whether a list of tags names this one.
fn names(list: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(list), Ok(tag)) = (list.to_str(), tag.to_str()) else { return false };
    let plain = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    list.split(',').any(|found| found.trim() == "*" || plain(found) == plain(tag))
}
