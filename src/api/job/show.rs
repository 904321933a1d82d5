//! `GET /v1/job/<id>`

use axum::extract::State;

use crate::api::wire::job::{Shown, shown};
use crate::app::App;
use crate::http::{Answer, ApiResult, JobPath};
use crate::ops;

/// What was submitted.
pub(in crate::api) async fn get(
    State(app): State<App>,
    JobPath(id): JobPath,
) -> ApiResult<Answer<Shown>> {
    let body = app.read(|tx| ops::job_body(tx, id))?;
    Ok(body.map_or_else(Answer::nothing, |body| Answer::text(shown(id, &body))))
}
