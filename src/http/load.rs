//! What a request takes of the budget for bytes in flight, from its first byte to the last one of its answer.

use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use crate::app::budget::{SMALL, Share};
use crate::app::{self, App};

/// What is made of a body takes about this many times its size, until it is written or sent.
pub(super) const COPIES: u64 = 2;

/// The share of one request. It lives in the request's extensions, and with whoever has called [`Load::of`]: what is made
/// of a body must count until it is written.
#[derive(Clone)]
pub struct Load(Arc<Share>);

impl Load {
    /// A share for this request.
    pub(super) fn of(app: &App, request: &mut Request) -> Self {
        let load = Self(Arc::new(app.budget().share()));
        request.extensions_mut().insert(load.clone());
        load
    }

    /// Counts a body, and what is made of it.
    ///
    /// # Errors
    /// 503 when there is no room for them.
    pub fn grow_for(&self, body: &str) -> Result<(), ApiError> {
        self.grow(COPIES * body.len() as u64)
    }

    /// Counts more bytes.
    ///
    /// # Errors
    /// 503 when there is no room for them.
    pub fn grow(&self, bytes: u64) -> Result<(), ApiError> {
        Ok(self.0.grow(bytes)?)
    }
}

/// A route without a guard has none, as it has no caller.
impl<S: Sync> FromRequestParts<S> for Load {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(ApiError::internal)
    }
}

/// Refuses what would be begun while no memory is left for it.
///
/// # Errors
/// 503.
pub(super) fn check(app: &App) -> Result<(), ApiError> {
    if app.budget().is_used_up() { Err(app::Error::TooMuchInFlight.into()) } else { Ok(()) }
}

/// Counts an answer that is whole in memory until it is sent. It is never refused: what it answers has happened.
pub(super) async fn count_answer(app: &App, response: Response) -> Response {
    if response.body().size_hint().exact().is_none_or(|size| size <= SMALL) {
        return response;
    }
    let (parts, body) = response.into_parts();
    match axum::body::to_bytes(body, usize::MAX).await {
        Ok(bytes) => Response::from_parts(parts, Body::from(app.budget().track(bytes))),
        Err(_) => ApiError::internal().into_response(),
    }
}
