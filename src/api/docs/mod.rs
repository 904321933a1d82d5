//! `/docs`: the description of the API as a page to read, search and try. It is Swagger UI 5.35.0, whose files are part of
//! the program.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue,
};
use axum::response::IntoResponse;

use crate::http::shape::kind::TEXT;
use crate::http::shape::{Kind, Output};
use crate::http::{Answer, ApiError, ApiResult, TextPath};

/// What the page may do: run and show its own files, and call this server.
const POLICY: (HeaderName, HeaderValue) = (
    CONTENT_SECURITY_POLICY,
    HeaderValue::from_static(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
);

/// A page.
pub(super) enum Page {}

impl Output for Page {
    const KIND: Kind = TEXT;
    const MEDIA: &'static [&'static str] = &["text/html"];
}

/// A file that the page needs.
pub(super) enum File {}

impl Output for File {
    const KIND: Kind = TEXT;
    const MEDIA: &'static [&'static str] = &["text/javascript", "text/css"];
}

/// The page.
pub(super) async fn page() -> Answer<Page> {
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    let page = ([(CONTENT_TYPE, html)], include_str!("index.html")).into_response();
    Answer::from(page).header(POLICY)
}

/// A file of the page. The large ones are kept compressed, which every browser reads.
pub(super) async fn file(TextPath(name): TextPath) -> ApiResult<Answer<File>> {
    let (kind, is_compressed, bytes): (_, _, &'static [u8]) = match &*name {
        "start.js" => ("text/javascript", false, include_bytes!("start.js")),
        "swagger-ui.css" => ("text/css", true, include_bytes!("swagger-ui/swagger-ui.css.gz")),
        "swagger-ui-bundle.js" => {
            ("text/javascript", true, include_bytes!("swagger-ui/swagger-ui-bundle.js.gz"))
        }
        _ => return Err(ApiError::no_route()),
    };
    let file = ([(CONTENT_TYPE, HeaderValue::from_static(kind))], bytes).into_response();
    let file = Answer::from(file);
    let file = file.header((CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")));
    let gzip = (CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    Ok(if is_compressed { file.header(gzip) } else { file })
}
