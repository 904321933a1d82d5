//! What happens to every request before the router sees it, and to every answer after.

use axum::Router;
use axum::extract::Request;
use axum::http::header::{ALLOW, HeaderValue, LOCATION};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use tower::ServiceExt;

use super::browser;
use super::caller::Local;
use super::error::ApiError;
use super::reply;
use super::unread::UnreadBody;

/// Answers a request: from outside or from this process, through the same doors.
pub async fn answer(router: Router, mut request: Request) -> Response {
    let method = request.method().clone();
    let unread = UnreadBody::of(&mut request);
    let mut response = match clean_path(request) {
        Err(response) => response,
        Ok(request) if is_hidden(&request) => ApiError::no_route().into_response(),
        Ok(request) => match router.oneshot(request).await {
            Ok(response) => complete_allow(&method, response),
            Err(never) => match never {},
        },
    };
    browser::restrict(&mut response);
    if let Some(unread) = unread {
        unread.read_away().await;
    }
    response
}

/// What exists for the local administrator alone does not exist for others: not even which methods it knows, or that a
/// token was looked at, is to be seen.
fn is_hidden(request: &Request) -> bool {
    request.uri().path().starts_with("/admin/") && request.extensions().get::<Local>().is_none()
}

/// The path as the router knows it, or an answer at once.
///
/// A slash at the end is ignored; repeated slashes are answered with a redirect to the clean path (308 keeps method and
/// body); an encoded slash is part of a name. Must wrap the router from outside: a layer inside runs after routing.
#[expect(clippy::result_large_err, reason = "the error is the answer, used once per request")]
fn clean_path(mut request: Request) -> Result<Request, Response> {
    let path = request.uri().path();
    if path.contains("//") {
        return Err(redirect(&collapse(path), request.uri().query()));
    }
    if path.len() > 1 && path.ends_with('/') {
        let trimmed = with_query(path.trim_end_matches('/'), request.uri().query());
        if let Ok(uri) = trimmed.parse::<Uri>() {
            *request.uri_mut() = uri;
        }
    }
    Ok(request)
}

fn collapse(path: &str) -> String {
    let mut clean = String::with_capacity(path.len());
    for c in path.chars() {
        if !(c == '/' && clean.ends_with('/')) {
            clean.push(c);
        }
    }
    clean
}

fn with_query(path: &str, query: Option<&str>) -> String {
    query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"))
}

fn redirect(path: &str, query: Option<&str>) -> Response {
    let mut response = StatusCode::PERMANENT_REDIRECT.into_response();
    if let Ok(location) = HeaderValue::from_str(&with_query(path, query)) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// Answers `OPTIONS` and completes `Allow`, where the router has said 405.
fn complete_allow(method: &Method, mut response: Response) -> Response {
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    let routed = response.headers().get(ALLOW).and_then(|value| value.to_str().ok());
    let mut allowed: Vec<&str> =
        routed.unwrap_or_default().split(',').filter(|m| !m.is_empty()).collect();
    allowed.push("OPTIONS");
    allowed.sort_unstable();
    let allow = HeaderValue::from_str(&allowed.join(", "));
    if method == Method::OPTIONS {
        response = reply::text("");
    }
    if let Ok(allow) = allow {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}
