//! `GET /v1/job/<id>/status`

use axum::extract::State;

use crate::api::wire::status::Status;
use crate::app::App;
use crate::http::{Answer, ApiResult, JobPath};
use crate::ops;

/// How a job stands: why it waits, how long yet, and what has happened to it.
pub(in crate::api) async fn get(
    State(app): State<App>,
    JobPath(id): JobPath,
) -> ApiResult<Answer<Status>> {
    let (now, hearing, lines) = (app.now(), app.hearing(), app.lines().await?);
    let status = app.scan(move |tx| ops::job_status(tx, &lines, id, now, &hearing)).await?;
    Ok(Answer::of(&Status::at(now, status)))
}
