//! `GET /v1/job/<id>/position`

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::app::App;
use crate::http::{ApiError, ApiResult, JobPath, reply};
use crate::store::JobReads;

/// How many jobs of its queue stand before a waiting job.
pub(in crate::api) async fn get(
    State(app): State<App>,
    JobPath(id): JobPath,
) -> ApiResult<Response> {
    let gone = || ApiError::text(StatusCode::GONE, "Job not found or already started\n");
    let position = app.scan(move |tx| tx.position(id)).await?.ok_or_else(gone)?;
    Ok(reply::text(position.to_string()))
}
