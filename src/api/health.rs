//! `/healthz` and `/readyz`

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::app::{App, Unready};
use crate::http::{ApiError, ApiResult, reply};

/// Says that the server answers, whatever else is wrong: restarting it would not help.
pub(super) async fn alive() -> Response {
    reply::ok()
}

/// Says whether the server can do what it is asked.
pub(super) async fn ready(State(app): State<App>) -> ApiResult {
    let unready = app.unready();
    if unready.is_empty() {
        return Ok(reply::ok());
    }
    let reasons: Vec<String> = unready.iter().map(Unready::to_string).collect();
    let message = format!("Not ready: {}", reasons.join("; "));
    Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, message))
}
