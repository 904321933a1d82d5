//! What is left of a request whose handler answered without reading it.
//!
//! A connection on which something unread is left can only be closed, and the close may overtake the answer: the client
//! then sees a broken connection instead of the reason. So a bounded part of the rest is read away first.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::EXPECT;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};

/// The most that is read away, bytes.
const MOST: usize = 16 << 20;
/// The longest that is taken for it.
const LONGEST: Duration = Duration::from_secs(2);

/// A request's body that somebody else can go on reading.
#[derive(Clone)]
pub(super) struct UnreadBody(Arc<Mutex<Body>>);

impl UnreadBody {
    /// Shares the body of a request; `None` when there is nothing to read, or the client waits to be asked for it.
    pub(super) fn of(request: &mut Request) -> Option<Self> {
        if request.body().is_end_stream() || request.headers().contains_key(EXPECT) {
            return None;
        }
        let body = std::mem::take(request.body_mut());
        let unread = Self(Arc::new(Mutex::new(body)));
        *request.body_mut() = Body::new(unread.clone());
        Some(unread)
    }

    /// Reads away what the handler left.
    pub(super) async fn read_away(mut self) {
        let read = async {
            let mut size = 0;
            while let Some(Ok(frame)) = self.frame().await {
                size += frame.data_ref().map_or(0, Bytes::len);
                if size > MOST {
                    break;
                }
            }
        };
        // What is not there by then is not waited for.
        let _ = tokio::time::timeout(LONGEST, read).await;
    }

    fn lock(&self) -> MutexGuard<'_, Body> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBody for UnreadBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut *self.lock()).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.lock().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.lock().size_hint()
    }
}
