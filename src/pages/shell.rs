//! What stands around every page: the bar on top, the headers, and pages that say what went wrong.

use askama::Template;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::assets;
use super::visitor::{Readers, Visitor};
use crate::http::ApiError;
use crate::http::etag::Tag;
use crate::{app, ops};

/// Scripts, styles and pictures come from this server, forms go to it, and nothing is written into a page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What stands around the content of a page.
pub(super) struct Shell {
    pub(super) title: String,
    /// The path of the entry in the navigation.
    pub(super) here: &'static str,
    pub(super) path: String,
    pub(super) user: Option<String>,
    pub(super) csrf: String,
    pub(super) may_look: bool,
    pub(super) may_log_in: bool,
    /// Where the page is told when it is out of date, and the last that it was told; `None` where nothing can change.
    pub(super) stream: Option<(String, String)>,
}

impl Shell {
    pub(super) fn of(visitor: &Visitor, title: impl Into<String>, here: &'static str) -> Self {
        Self {
            title: title.into(),
            here,
            path: visitor.path.clone(),
            user: visitor.client().map(ToString::to_string),
            csrf: visitor.form_token.clone(),
            may_look: visitor.may_look,
            may_log_in: visitor.readers != Readers::All && !visitor.path.starts_with("/login"),
            stream: (!here.is_empty()).then(|| ("/stream".to_owned(), visitor.place.to_string())),
        }
    }

    /// The entries of the navigation: name, path, and whether the page is that one.
    pub(super) fn nav(&self) -> [(&'static str, &'static str, bool); 4] {
        [("Home", "/"), ("Agents", "/agents"), ("Jobs", "/jobs"), ("Queues", "/queues")]
            .map(|(name, path)| (name, path, path == self.here))
    }

    #[expect(clippy::unused_self, reason = "a template calls it on what it has")]
    pub(super) fn style(&self) -> String {
        assets::path("style.css")
    }

    #[expect(clippy::unused_self, reason = "as above")]
    pub(super) fn script(&self) -> String {
        assets::path("app.js")
    }

    #[expect(clippy::unused_self, reason = "as above")]
    pub(super) fn icon(&self) -> String {
        assets::path("icon.svg")
    }

    /// A page that says why there is no other one.
    pub(super) fn refuse(self, error: &ApiError) -> Response {
        let (status, sentence) = error.told();
        let title = match status {
            StatusCode::NOT_FOUND => "There is no such thing here",
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => "You may not do this",
            status if status.is_server_error() => "The server cannot do this now",
            _ => "This cannot be done",
        };
        let page = ErrorPage { shell: self, title, sentence };
        let mut response = html(&page);
        *response.status_mut() = status;
        response
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    shell: Shell,
    title: &'static str,
    sentence: String,
}

/// A page.
pub(super) fn html(page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => with_headers(text.into_response()),
        Err(error) => {
            tracing::error!(%error, "a page cannot be written");
            ApiError::internal().into_response()
        }
    }
}

/// What stands before the place in the text of a page. It is in the first tag, before anything that others have written.
const PLACE: &str = " data-place=\"";

/// A page that is asked for again and again: whoever has it already gets 304.
pub(super) fn live(page: &impl Template, headers: &HeaderMap) -> Response {
    let text = match page.render() {
        Ok(text) => text,
        Err(error) => {
            tracing::error!(%error, "a page cannot be written");
            return ApiError::internal().into_response();
        }
    };
    // The same page is up to date at many places of its stream.
    let (head, rest) = text.split_once(PLACE).unwrap_or_default();
    let (_, rest) = rest.split_once('"').unwrap_or_default();
    let tag = Tag::of(&Sha256::new().chain_update(head).chain_update(rest).finalize().into());
    match tag.not_modified(headers) {
        Some(response) => with_headers(response),
        None => tag.on(with_headers(text.into_response())),
    }
}

fn with_headers(mut response: Response) -> Response {
    let headers: [(HeaderName, &'static str); 3] = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        // It shows who has logged in.
        (CACHE_CONTROL, "private, no-cache"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Why a page is not shown; the guard makes a page of it, because it knows what stands around pages.
#[derive(Clone)]
pub(super) struct Refusal(pub(super) StatusCode, pub(super) String);

/// Why a page is not shown.
pub(super) struct Failure(ApiError);

pub(super) type Shown = Result<Response, Failure>;

impl Failure {
    /// There is no such thing.
    pub(super) fn unknown(sentence: impl Into<String>) -> Self {
        Self(ApiError::new(StatusCode::NOT_FOUND, sentence))
    }
}

impl<E: Into<app::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        if let app::Error::Ops(ops::Error::NoJob) = error {
            return Self::unknown(
                "The job does not exist, or it was removed because it had become too old.",
            );
        }
        Self(error.into())
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, sentence) = self.0.told();
        let mut response = status.into_response();
        response.extensions_mut().insert(Refusal(status, sentence));
        response
    }
}
