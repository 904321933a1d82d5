//! Scripts, styles and pictures. Their names change with what is in them, so that browsers may keep them for ever.

use std::sync::LazyLock;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::http::{ApiError, TextPath};

/// Name, type and content of each.
static ASSETS: [(&str, &str, &str); 3] = [
    ("style.css", "text/css; charset=utf-8", include_str!("assets/style.css")),
    ("app.js", "text/javascript; charset=utf-8", include_str!("assets/app.js")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

/// Stands for what all of them hold.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for (_, _, text) in &ASSETS {
        hash.update(text);
    }
    let [a, b, c, d, ..] = <[u8; 32]>::from(hash.finalize());
    format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
});

/// Where one of them is.
pub(super) fn path(name: &str) -> String {
    format!("/assets/{}-{name}", *VERSION)
}

/// One of them. One of another version is not there: a page of this server never asks for it.
pub(super) async fn get(TextPath(asked): TextPath) -> Response {
    let found = ASSETS.iter().find(|(name, ..)| path(name).ends_with(&format!("/{asked}")));
    let Some((_, kind, text)) = found else {
        return ApiError::no_route().into_response();
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    (headers, *text).into_response()
}
