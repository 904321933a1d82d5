//! `GET /v1/job/<id>`

use axum::extract::State;
use axum::response::Response;

use crate::api::wire::job::shown;
use crate::app::App;
use crate::http::{ApiResult, JobPath, reply};
use crate::ops;

/// What was submitted.
pub(in crate::api) async fn get(
    State(app): State<App>,
    JobPath(id): JobPath,
) -> ApiResult<Response> {
    let body = app.read(|tx| ops::job_body(tx, id))?;
    Ok(body.map_or_else(reply::nothing, |body| reply::json_text(shown(id, &body))))
}
