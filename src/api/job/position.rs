//! `GET /v1/job/<id>/position`

use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::http::{ApiResult, JobPath, reply};
use crate::ops;

/// How many jobs of its queue stand before a waiting job.
pub(in crate::api) async fn get(
    State(app): State<App>,
    JobPath(id): JobPath,
) -> ApiResult<Response> {
    let lines = app.lines().await?;
    let position = app.read(|tx| ops::position(tx, &lines, id))?;
    Ok(reply::text(position.to_string()))
}
