//! The one error type of HTTP and the one table of statuses.

use axum::http::StatusCode;
use axum::http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::reply;
use crate::auth::Denied;
use crate::auth::jwt::TokenError;
use crate::domain::SecretPath;
use crate::ops::{BadRefresh, ClientVerb, MOST_SECRETS, Right};
use crate::{app, ops, store};

/// The answer to a request that was not done.
///
/// Most errors are `{"detail": {}, "message": ".."}`; some sentences are plain text, because stock clients
/// print them as they are: docs/API.md, "Errors".
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

/// The part of a request that an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Its JSON body.
    Body,
    /// Its query.
    Query,
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

    /// 400 with an object where the message usually is: docs/API.md, "Errors".
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

    /// 422: what is wrong with each member of a body or a query.
    #[must_use]
    pub fn validation(place: Place, errors: &Map<String, Value>) -> Self {
        let place = match place {
            Place::Body => "json",
            Place::Query => "query",
        };
        let detail = json!({ place: errors });
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

    /// What it says to a person.
    #[must_use]
    pub fn told(&self) -> (StatusCode, String) {
        let sentence = match &self.body {
            Body::Text(text) => text.clone(),
            Body::Json(value) => value["message"].as_str().unwrap_or_default().to_owned(),
        };
        (self.status, sentence)
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
            E::SlowLogin => {
                let message = "The check of this client's secret takes minutes and goes on; log in again later";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, message).retry_after(60)
            }
            E::HopelessLogin => Self::text(
                StatusCode::UNAUTHORIZED,
                "The check of this client's secret would take hours: an administrator must give it a new one",
            ),
            E::TooMuchInFlight => {
                let message = "The server has too much in flight; try again";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, message).retry_after(1)
            }
            E::TooManyWatchers => {
                let message = "Too many watch already; try again later";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, message).retry_after(5)
            }
            E::EmptySecret => Self::bad_request("A secret must not be empty"),
            E::BackupUnderWay => Self::new(StatusCode::LOCKED, "a backup or a check is under way"),
            E::ReplacingKey => {
                Self::new(StatusCode::LOCKED, "the key of secrets is being replaced already")
            }
            E::Internal => Self::internal(),
        }
    }
}

/// The status and the sentence for everything that a use case may say.
impl From<ops::Error> for ApiError {
    fn from(error: ops::Error) -> Self {
        use StatusCode as S;
        use ops::Error as E;
        let unprocessable = |message: &str| Self::new(S::UNPROCESSABLE_ENTITY, message);
        match error {
            E::NoAgent => Self::new(S::NOT_FOUND, "Agent not found"),
            E::NoJob => Self::new(S::NOT_FOUND, "Job not found"),
            E::NotYours => Self::new(
                S::FORBIDDEN,
                "Only the submitter of a job, a manager or an admin may do this",
            ),
            E::OtherAgent(agent) => {
                Self::new(S::FORBIDDEN, format!("This token is not for agent {:?}", agent.as_str()))
            }
            E::BadJobId => Self::bad_request("Invalid job_id specified"),
            E::NoPosition => Self::text(S::GONE, "Job not found or already started\n"),
            E::JobFinished => {
                Self::text(S::BAD_REQUEST, "The job is already completed or cancelled")
            }
            E::NotWaiting(id) => {
                Self::text(S::UNPROCESSABLE_ENTITY, format!("Job {id} is not valid\n"))
            }
            E::NoAttachments(id) => {
                Self::text(S::UNPROCESSABLE_ENTITY, format!("Job {id} not awaiting attachments\n"))
            }
            E::AllAgentsExcluded => Self::new(
                S::UNPROCESSABLE_ENTITY,
                "There are no agents on the specified queue that are allowed to run this job",
            ),
            E::Lacks { right, token: false } => Self::new(S::UNAUTHORIZED, unauthenticated(&right)),
            E::Lacks { right, token: true } => Self::new(S::FORBIDDEN, not_permitted(&right)),
            E::AgentTooLarge => Self::too_large(),
            E::NoClient => Self::new(S::NOT_FOUND, "Error: Specified client_id does not exist."),
            E::ClientExists => Self::new(S::CONFLICT, "Error: Client already exists"),
            E::SystemAdmin(verb) => {
                let verb = participle(verb);
                let message = format!("Error: System admin client cannot by {verb} from API.");
                Self::new(S::UNPROCESSABLE_ENTITY, message)
            }
            E::LastAdmin(verb) => {
                let verb = participle(verb);
                let message = format!("Error: The last admin client cannot be {verb} from API.");
                Self::new(S::UNPROCESSABLE_ENTITY, message)
            }
            E::AboveManager { manager, client } => Self::new(
                S::FORBIDDEN,
                format!("{manager} has insufficient permissions to modify client '{client}'"),
            ),
            E::RoleAboveManager { role, new: true, .. } => Self::new(
                S::FORBIDDEN,
                format!("Insufficient permissions to create client with role: {role}"),
            ),
            E::RoleAboveManager { manager, client, role, new: false } => Self::new(
                S::FORBIDDEN,
                format!(
                    "{manager} has insufficient permissions to assign role '{role}' to client '{client}'"
                ),
            ),
            E::TooManyRights => {
                Self::new(S::UNPROCESSABLE_ENTITY, "Error: These rights do not fit into a token.")
            }
            E::OtherClient(client) => {
                Self::new(S::FORBIDDEN, format!("'{client}' doesn't match authenticated client id"))
            }
            E::BadSecretPath(path) => Self::new(
                S::UNPROCESSABLE_ENTITY,
                format!(
                    "Invalid value '{path}', not a valid path. A path has words of letters, digits, '_' and '-', separated by '/'"
                ),
            ),
            E::TooManySecrets => {
                let message =
                    format!("A client keeps at most {MOST_SECRETS} secrets: delete one first");
                Self::new(S::UNPROCESSABLE_ENTITY, message)
            }
            E::KeyReused => {
                unprocessable("This Idempotency-Key was used for another job within the last day")
            }
            E::KeyAndId => unprocessable("Give either an Idempotency-Key or a job_id"),
            E::SecretsOfNobody => unprocessable("Missing client ID (user not authenticated)"),
            E::InaccessibleSecrets(paths) => {
                let paths: Vec<&str> = paths.iter().map(SecretPath::as_str).collect();
                let message = format!("Inaccessible secret paths: {}", paths.join(", "));
                Self::new(S::UNPROCESSABLE_ENTITY, message)
            }
            E::NotRestricted => Self::new(S::NOT_FOUND, "Error: Restricted queue not found."),
            E::NoAgentOnQueue => {
                Self::new(S::NOT_FOUND, "Error: No agent is associated with the specified queue.")
            }
            E::BadRefresh(why) => Self::bad_request(match why {
                BadRefresh::Unknown => "Invalid refresh token.",
                BadRefresh::Expired => "Refresh token expired",
                BadRefresh::NotFound => "Refresh token not found",
                BadRefresh::AlreadyRevoked => "Refresh token has already been revoked",
            }),
            E::RevokedRefresh(_) => Self::bad_request("Refresh token revoked."),
            E::Store(error) => store_error(&error),
        }
    }
}

fn unauthenticated(right: &Right) -> String {
    match right {
        Right::Priority(_, priority) => {
            format!("Authentication required for setting priority: {priority}")
        }
        Right::Restricted(queue) => {
            format!("Authentication required to push to restricted queue: {queue}")
        }
        Right::Reservation(_, seconds) => {
            format!("Authentication required for setting timeout: {seconds}")
        }
    }
}

fn not_permitted(right: &Right) -> String {
    match right {
        Right::Priority(queue, priority) => {
            format!("Not enough permissions to push to {queue} with priority {priority}")
        }
        Right::Restricted(queue) => {
            format!("Not enough permissions to push to the restricted queue: {queue}")
        }
        Right::Reservation(queue, seconds) => {
            format!("Not enough permissions to push to {queue} with reservation timeout {seconds}")
        }
    }
}

const fn participle(verb: ClientVerb) -> &'static str {
    match verb {
        ClientVerb::Modify => "modified",
        ClientVerb::Demote => "demoted",
        ClientVerb::Delete => "deleted",
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
            Denied::NoToken => Self::new(
                StatusCode::UNAUTHORIZED,
                "Authentication is required for specified endpoint",
            ),
            Denied::WrongRole(roles) => {
                let words: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
                let message = format!("Specified action requires role: {}", words.join(", "));
                Self::new(StatusCode::FORBIDDEN, message)
            }
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
