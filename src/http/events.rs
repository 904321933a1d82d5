//! Server-sent events: an answer that goes on for as long as its reader wants to be told something.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::response::IntoResponse;
use futures_util::stream::try_unfold;

use super::answer::Answer;
use super::shape::kind::TEXT;
use super::shape::{Kind, Output};
use super::stream::Broken;
use crate::app::App;

/// The content type of events.
pub const KIND: &str = "text/event-stream";
/// Server-sent events.
#[derive(Debug)]
pub enum Events {}

impl Output for Events {
    const KIND: Kind = TEXT;
    const MEDIA: &'static [&'static str] = &[KIND];
}

/// A reader that has heard nothing for so long hears that the server is still there.
const QUIET: Duration = Duration::from_secs(15);
/// What is sent first: a reader whose connection breaks off comes back after so many milliseconds.
const HELLO: &str = "retry: 3000\n\n";
/// For proxies that would gather an answer before they pass it on.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// One event. `data` is JSON text, which has no line breaks. Without an id, a reader who comes back says the one before.
#[must_use]
pub fn event(id: Option<String>, name: &str, data: &str) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("{id}event: {name}\ndata: {data}\n\n")
}

/// The id of the last event that a reader has seen who comes back. `EventSource` says it in a header; a page that begins
/// where it was made says it in the query.
#[must_use]
pub fn last_id<'a>(headers: &'a HeaderMap, query: Option<&'a str>) -> Option<&'a str> {
    let header = headers.get("last-event-id").map(|id| id.to_str().unwrap_or("?"));
    header.or(query).filter(|id| !id.is_empty())
}

/// Something that is told bit by bit.
pub trait Source: Send + 'static {
    /// The next events; `None` at the end. May be dropped before it is ready and asked again.
    fn next(&mut self) -> impl Future<Output = Result<Option<String>, Broken>> + Send;
}

/// The answer that tells it. Nothing is read ahead: the source is asked when its reader has taken what was there.
pub fn reply(app: App, source: impl Source) -> Answer<Events> {
    let body = try_unfold((source, true), move |(mut source, first)| {
        let app = app.clone();
        async move {
            if first {
                return Ok(Some((Bytes::from_static(HELLO.as_bytes()), (source, false))));
            }
            let text = tokio::select! {
                text = source.next() => match text? {
                    Some(text) => app.budget().track(text),
                    None => return Ok::<_, Broken>(None),
                },
                () = tokio::time::sleep(QUIET) => Bytes::from_static(b":\n\n"),
            };
            Ok(Some((text, (source, false))))
        }
    });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(KIND)),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (ACCEL_BUFFERING, HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(body)).into_response().into()
}
