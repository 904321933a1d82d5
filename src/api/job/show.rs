//! `GET /v1/job/<id>`

use axum::extract::State;

use crate::api::wire::job::{Shown, shown};
use crate::app::App;
use crate::http::load::Load;
use crate::http::{Answer, ApiResult, JobPath};
use crate::ops;

/// What was submitted.
pub(in crate::api) async fn get(
    State(app): State<App>,
    load: Load,
    JobPath(id): JobPath,
) -> ApiResult<Answer<Shown>> {
    let Some((job, body)) = app.read_large(move |tx| ops::submitted(tx, id)).await? else {
        return Ok(Answer::nothing());
    };
    load.grow_for(&body)?;
    Ok(Answer::text(app.blocking(move || shown(&job, &body)).await?))
}
