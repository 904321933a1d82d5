//! The one error type of HTTP and the one table of statuses.

use axum::http::StatusCode;
use axum::http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::reply;
use crate::auth::Denied;
use crate::auth::jwt::TokenError;
use crate::{app, ops, store};

/// The answer to a request that was not done.
///
/// Most errors are `{"detail": {}, "message": ".."}`; some sentences are plain text, because upstream's are and clients
/// print them (wire contract section 1).
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    body: Body,
    header: Option<(HeaderName, HeaderValue)>,
}

#[derive(Debug)]
enum Body {
    Json(Value),
    Text(String),
}

/// What a handler returns.
pub type ApiResult<T = Response> = Result<T, ApiError>;

impl ApiError {
    /// An error with the usual envelope.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self::with_detail(status, message, &Value::Object(Map::new()))
    }

    /// An error with the usual envelope and something in `detail`.
    pub fn with_detail(status: StatusCode, message: impl Into<String>, detail: &Value) -> Self {
        let message: String = message.into();
        Self {
            status,
            body: Body::Json(json!({ "detail": detail, "message": message })),
            header: None,
        }
    }

    /// An error whose sentence is the whole body.
    pub fn text(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, body: Body::Text(message.into()), header: None }
    }

    /// 400 with an object where the message usually is (wire contract 3.18).
    #[must_use]
    pub fn object(message: &Value) -> Self {
        let mut error = Self::bad_request("");
        error.body = Body::Json(json!({ "detail": {}, "message": message }));
        error
    }

    /// 400 with the usual envelope.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 422: what is wrong with each member of the body.
    #[must_use]
    pub fn validation(errors: &Map<String, Value>) -> Self {
        let detail = json!({ "json": errors });
        Self::with_detail(StatusCode::UNPROCESSABLE_ENTITY, "Validation error", &detail)
    }

    /// 422: what is wrong with the query.
    #[must_use]
    pub fn query(errors: &Map<String, Value>) -> Self {
        let detail = json!({ "query": errors });
        Self::with_detail(StatusCode::UNPROCESSABLE_ENTITY, "Validation error", &detail)
    }

    /// The same error with another status.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// 404 for a path that no route has, in upstream's words.
    #[must_use]
    pub fn no_route() -> Self {
        Self::text(
            StatusCode::NOT_FOUND,
            "Not found: 404 Not Found: The requested URL was not found on the server. \
             If you entered the URL manually please check your spelling and try again.\n",
        )
    }

    /// 405; the `Allow` header is the router's.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
    }

    /// 413.
    #[must_use]
    pub fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "Payload too large")
    }

    /// 401 for a login with an unknown id or a wrong secret; which of the two it was is not said.
    #[must_use]
    pub fn wrong_secret() -> Self {
        Self::text(StatusCode::UNAUTHORIZED, "Invalid client id or client key")
    }

    /// 500, with nothing of the inside in it.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "The server failed; its log says why")
    }

    /// The same error with a time after which another try makes sense.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.header = Some((RETRY_AFTER, HeaderValue::from(seconds)));
        self
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = match self.body {
            Body::Json(value) => reply::json(&value),
            Body::Text(text) => reply::text(text),
        };
        *response.status_mut() = self.status;
        response.headers_mut().extend(self.header);
        response
    }
}

/// The status of everything that the application may say.
impl From<app::Error> for ApiError {
    fn from(error: app::Error) -> Self {
        use app::Error as E;
        match error {
            E::Ops(error) => error.into(),
            E::Denied(denied) => denied.into(),
            E::Token(error) => error.into(),
            E::WrongSecret => Self::wrong_secret(),
            E::TooManyFailures(seconds) => {
                let message = "Too many failed logins; try again later";
                Self::new(StatusCode::TOO_MANY_REQUESTS, message).retry_after(seconds)
            }
            E::TooManyLogins => {
                let message = "Too many logins at once; try again";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, message).retry_after(1)
            }
            E::EmptySecret => Self::bad_request("A secret must not be empty"),
            E::BackupUnderWay => Self::new(StatusCode::LOCKED, "another backup is under way"),
            E::Internal => Self::internal(),
        }
    }
}

/// The status of everything that a use case may say.
impl From<ops::Error> for ApiError {
    fn from(error: ops::Error) -> Self {
        use ops::Error as E;
        let message = error.to_string();
        match error {
            E::NotYours => Self::new(StatusCode::FORBIDDEN, message),
            E::NoJob => Self::new(StatusCode::NOT_FOUND, message),
            E::BadJobId | E::BadRefresh(_) | E::RevokedRefresh(_) => Self::bad_request(message),
            E::JobFinished => Self::text(StatusCode::BAD_REQUEST, message),
            E::NoPosition => Self::text(StatusCode::GONE, message),
            E::NotWaiting(_) | E::NoAttachments(_) => {
                Self::text(StatusCode::UNPROCESSABLE_ENTITY, message)
            }
            E::NoClient | E::NotRestricted | E::NoAgentOnQueue => {
                Self::new(StatusCode::NOT_FOUND, message)
            }
            E::ClientExists => Self::new(StatusCode::CONFLICT, message),
            E::SystemAdmin(_) | E::LastAdmin(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
            }
            E::Denied(denied) => denied.into(),
            E::AllAgentsExcluded => Self::new(StatusCode::UNPROCESSABLE_ENTITY, message),
            E::Store(error) => store_error(&error),
        }
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        let unauthenticated = error.is_unauthenticated();
        let status = if unauthenticated { StatusCode::UNAUTHORIZED } else { StatusCode::FORBIDDEN };
        Self::new(status, error.to_string())
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unauthenticated(message) => Self::new(StatusCode::UNAUTHORIZED, message),
            Denied::Forbidden(message) => Self::new(StatusCode::FORBIDDEN, message),
            Denied::Hidden => Self::no_route(),
        }
    }
}

impl From<store::Error> for ApiError {
    fn from(error: store::Error) -> Self {
        ops::Error::from(error).into()
    }
}

fn store_error(error: &store::Error) -> ApiError {
    tracing::error!(%error, "the store failed");
    match error {
        store::Error::Busy => {
            let message = "The server has too much to write; try again";
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, message).retry_after(1)
        }
        store::Error::Closed | store::Error::Lost => {
            let message = "The server is stopping; try again";
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, message).retry_after(5)
        }
        error if error.is_disk_full() => {
            ApiError::new(StatusCode::INSUFFICIENT_STORAGE, "The server's disk is full")
        }
        _ => ApiError::internal(),
    }
}
