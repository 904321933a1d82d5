//! `/v1/job/<id>/pin`

use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::domain::JobId;
use crate::http::{ApiResult, JobPath, reply};
use crate::ops::{self, By};

/// Keeps a job from retention.
pub(in crate::api) async fn put(
    State(app): State<App>,
    by: By,
    JobPath(id): JobPath,
) -> ApiResult<Response> {
    set(&app, by, id, true).await
}

/// Lets retention have a job again.
pub(in crate::api) async fn delete(
    State(app): State<App>,
    by: By,
    JobPath(id): JobPath,
) -> ApiResult<Response> {
    set(&app, by, id, false).await
}

async fn set(app: &App, by: By, id: JobId, pinned: bool) -> ApiResult<Response> {
    app.write(move |tx, now| ops::pin(tx, now, id, pinned, &by)).await?;
    Ok(reply::ok())
}
