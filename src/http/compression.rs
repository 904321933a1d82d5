//! Answers are compressed with gzip for callers that ask for it, where it is worth the time: long text, mostly logs.
//! Archives are compressed already.

use axum::http::header::CONTENT_TYPE;
use axum::http::{Extensions, HeaderMap, StatusCode, Version};
use tower_http::compression::predicate::{And, SizeAbove};
use tower_http::compression::{CompressionLayer, Predicate};

/// Shorter answers are sent as they are, bytes.
const SHORT: u64 = 16 * 1024;

/// About how long a streamed answer will be, bytes; set as an extension of the response by whoever knows.
#[derive(Clone, Copy, Debug)]
pub struct About(pub u64);

type LongText = fn(StatusCode, Version, &HeaderMap, &Extensions) -> bool;

/// The layer around all routes.
#[must_use]
pub fn layer() -> CompressionLayer<And<SizeAbove, LongText>> {
    let long_text: LongText = is_long_text;
    CompressionLayer::new().gzip(true).compress_when(SizeAbove::new(SHORT).and(long_text))
}

fn is_long_text(_: StatusCode, _: Version, headers: &HeaderMap, extensions: &Extensions) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    // Events are sent one by one, and each must arrive at once.
    if kind == super::events::KIND {
        return false;
    }
    let text = kind == "application/json" || kind.starts_with("text/");
    text && extensions.get::<About>().is_none_or(|about| about.0 > SHORT)
}
