//! `GET /v1/events/job/<id>`

use axum::extract::State;

use crate::api::wire::history::{History, shown};
use crate::app::App;
use crate::http::{Answer, ApiResult, JobPath};
use crate::ops;

/// What has happened to a job, oldest first.
pub(in crate::api) async fn get(
    State(app): State<App>,
    JobPath(id): JobPath,
) -> ApiResult<Answer<History>> {
    let story = app.scan(move |tx| ops::job_history(tx, id)).await?;
    Ok(story.map_or_else(Answer::nothing, |(job, events)| Answer::of(&shown(&job, &events))))
}
