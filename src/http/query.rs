//! Queries, where a key may be repeated (axum's own `Query` cannot read that).

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::error::{ApiError, Place};
use super::shape::{self, Input, Members};

/// What a query says. The query counts as an object of texts, and of lists of texts where the shape has a list.
pub struct ApiQuery<T>(pub T);

impl<S: Sync, T: Input> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        shape::read(Place::Query, Ok(Members::of_query(&pairs, T::SHAPE))).map(Self)
    }
}
