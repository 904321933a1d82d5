//! `POST /v1/job/<id>/action`

use axum::extract::State;
use axum::response::Response;

use crate::api::wire::job::Action;
use crate::app::App;
use crate::http::path::JobTextPath;
use crate::http::{ApiError, ApiJson, ApiResult, reply};
use crate::ops::{self, By};

/// Cancels a job. The body is checked before the id, as upstream does.
pub(in crate::api) async fn post(
    State(app): State<App>,
    by: By,
    id: Result<JobTextPath, ApiError>,
    ApiJson(Action::Cancel): ApiJson<Action>,
) -> ApiResult<Response> {
    let JobTextPath(id) = id?;
    app.write(move |tx, now| ops::cancel(tx, now, id, &by)).await?;
    Ok(reply::ok())
}
