//! Request bodies: read up to a limit, and as JSON.

use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use serde_json::value::RawValue;

use super::error::{ApiError, ApiResult, Place};
use super::json;
use super::load::{COPIES, Load};
use super::patience::{Pace, Patience, TooSlow};
use super::shape::{self, Input, Members, Size};
use crate::app::App;
use crate::app::budget::SMALL;

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
        let body = read(app, &parts, body, limit).await?;
        let body = if is_json(&parts.headers) { body } else { Bytes::new() };
        if let Some(load) = parts.extensions.get::<Load>() {
            load.grow(COPIES * body.len() as u64)?;
        }
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

/// A request whose body is text of any content type.
pub struct TextRequest(pub Request);

impl<S: Sync> FromRequest<S> for TextRequest {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        Ok(Self(request))
    }
}

/// Bytes after which a body is believed to have the length that it says.
const CONVINCING: usize = 1 << 20;

/// The whole body.
///
/// # Errors
/// 413 when it is larger than `limit`, at once where `Content-Length` tells; 400 when it breaks off; 408 when it comes
/// too slowly; 503 and 507 when there is no room for it in memory and on disk.
pub async fn read(app: &App, parts: &Parts, body: Body, limit: u64) -> Result<Bytes, ApiError> {
    check_length(&parts.headers, limit)?;
    let load = parts.extensions.get::<Load>();
    let expected = length(&parts.headers).and_then(|length| usize::try_from(length).ok());
    let mut bytes = Vec::new();
    let mut body = PacedBody::new(body);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            let broken = || ApiError::bad_request("The request body broke off");
            too_slow(&*error).unwrap_or_else(broken)
        })?;
        let Ok(data) = frame.into_data() else { continue };
        let size = (bytes.len() + data.len()) as u64;
        if size > limit {
            return Err(ApiError::too_large());
        }
        if size > SMALL && bytes.len() as u64 <= SMALL {
            check_disk(app)?;
        }
        if let Some(load) = load {
            load.grow(data.len() as u64)?;
        }
        bytes.extend_from_slice(&data);
        if bytes.len() >= CONVINCING {
            bytes.reserve(expected.unwrap_or_default().saturating_sub(bytes.len()));
        }
    }
    Ok(bytes.into())
}

/// Refuses what would take the space that is left for the database.
///
/// # Errors
/// 507.
pub(super) fn check_disk(app: &App) -> Result<(), ApiError> {
    Ok(app.store().blobs().check_room(app.limits().disk_reserve)?)
}

/// 408, if that is why no more of a body comes.
pub(super) fn too_slow(error: &(dyn Error + 'static)) -> Option<ApiError> {
    let mut causes = std::iter::successors(Some(error), |&error| error.source());
    let message = "The request body came too slowly";
    let is_slow = causes.any(<dyn Error>::is::<TooSlow>);
    is_slow.then(|| ApiError::new(StatusCode::REQUEST_TIMEOUT, message))
}

/// A body that must come at a pace.
pub(super) struct PacedBody {
    body: Body,
    patience: Patience,
}

impl PacedBody {
    pub(super) const fn new(body: Body) -> Self {
        Self { body, patience: Patience::new(Pace::BODY) }
    }
}

impl HttpBody for PacedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => {
                let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
                self.patience.passed(data.map_or(0, Bytes::len));
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => self.patience.poll(context).map(|slow| Some(Err(slow.into()))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Refuses a body that says itself that it is too large.
///
/// # Errors
/// 413.
pub fn check_length(headers: &HeaderMap, limit: u64) -> Result<(), ApiError> {
    let too_large = length(headers).is_some_and(|length| length > limit);
    if too_large { Err(ApiError::too_large()) } else { Ok(()) }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
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
