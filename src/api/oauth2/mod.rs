//! `/v1/oauth2`

pub(super) mod refresh;
pub(super) mod revoke;
pub(super) mod token;

use axum::http::header::{CACHE_CONTROL, HeaderName, HeaderValue};

/// A token for its client's eyes only (RFC 6749, 5.1): no proxy may keep it.
const NOT_STORED: (HeaderName, HeaderValue) = (CACHE_CONTROL, HeaderValue::from_static("no-store"));
