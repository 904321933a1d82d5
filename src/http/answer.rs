//! Answers in JSON whose type says what they look like.

use std::marker::PhantomData;

use axum::http::StatusCode;
use axum::http::header::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::reply;
use super::shape::{Kind, Output};

/// An answer that says a `T` in JSON, or nothing (204). It does not hold the `T`: an answer made of borrowed text outlives
/// the text, which is what `fn(T)` means.
pub struct Answer<T>(Response, PhantomData<fn(T)>);

impl<T> Answer<T> {
    /// An answer that says a value.
    pub fn of(value: &T) -> Self
    where
        T: Output + Serialize,
    {
        reply::json(value).into()
    }

    /// An answer that is JSON text already.
    #[must_use]
    pub fn text(json: String) -> Self {
        reply::json_text(json).into()
    }

    /// 204.
    #[must_use]
    pub fn nothing() -> Self {
        reply::nothing().into()
    }

    /// The same answer with another status.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        *self.0.status_mut() = status;
        self
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn header(mut self, (name, value): (HeaderName, HeaderValue)) -> Self {
        self.0.headers_mut().insert(name, value);
        self
    }
}

impl<T> From<Response> for Answer<T> {
    fn from(response: Response) -> Self {
        Self(response, PhantomData)
    }
}

impl<T> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        self.0
    }
}

/// A list of such items.
pub struct ListOf<T>(PhantomData<T>);

impl<T: Output> Output for ListOf<T> {
    const KIND: Kind = super::shape::kind::list(&T::KIND);
}

/// An object with such an item under each name.
pub struct MapOf<T>(PhantomData<T>);

impl<T: Output> Output for MapOf<T> {
    const KIND: Kind = super::shape::kind::map(&T::KIND);
}

/// An archive, as it was sent.
pub enum Gzip {}

impl Output for Gzip {
    const KIND: Kind = Kind::Any;
    const MEDIA: &'static [&'static str] = &["application/gzip"];
}

/// Text that no browser takes for a page.
pub enum Plain {}

impl Output for Plain {
    const KIND: Kind = super::shape::kind::TEXT;
    const MEDIA: &'static [&'static str] = &["text/plain"];
}
