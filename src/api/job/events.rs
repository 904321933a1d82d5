//! `POST /v1/job/<id>/events`

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::api::wire::event::{Events, refused};
use crate::app::App;
use crate::domain::{Form, Message};
use crate::http::{ApiError, ApiJson, ApiResult, JobPath, reply};
use crate::webhook::Error;

/// Passes events on to the webhook that they name, and its answer back, or writes them down to be sent. The job need not
/// exist.
pub(in crate::api) async fn post(
    State(app): State<App>,
    JobPath(_): JobPath,
    ApiJson(Events { webhook, body }): ApiJson<Events>,
) -> ApiResult<Response> {
    if app.keeps_events() {
        app.keep_event(webhook, body).await?.map_err(|error| unsent(&error))?;
        let mut response = reply::text("Accepted".to_owned());
        *response.status_mut() = StatusCode::ACCEPTED;
        return Ok(response);
    }
    let message = Message { form: Form::Event, url: webhook, body };
    let answer = app.send(message).await?.map_err(|error| unsent(&error))?;
    // An agent takes these for this server's own: it throws its token away and sends every event again.
    if matches!(answer.status, 401 | 403) {
        let message = format!("Webhook answered {}", answer.status);
        return Err(ApiError::new(StatusCode::BAD_GATEWAY, message));
    }
    let mut response = reply::text(answer.text);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    Ok(response)
}

fn unsent(error: &Error) -> ApiError {
    match error {
        Error::Refused(message) => refused(message),
        Error::Timeout => ApiError::text(StatusCode::GATEWAY_TIMEOUT, "Webhook Timeout"),
        Error::Unreachable => ApiError::new(StatusCode::BAD_GATEWAY, "Webhook unreachable"),
    }
}
