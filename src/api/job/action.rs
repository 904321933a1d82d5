//! `POST /v1/job/<id>/action`

use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::http::path::JobTextPath;
use crate::http::{ApiError, ApiJson, ApiResult, Fields, reply};
use crate::ops::{self, By};

/// Cancels a job. The body is checked before the id, as upstream does.
pub(in crate::api) async fn post(
    State(app): State<App>,
    by: By,
    id: Result<JobTextPath, ApiError>,
    ApiJson(body): ApiJson,
) -> ApiResult<Response> {
    check(body)?;
    let JobTextPath(id) = id?;
    app.write(move |tx, now| ops::cancel(tx, now, id, &by)).await?;
    Ok(reply::ok())
}

fn check(mut body: Fields) -> Result<(), ApiError> {
    body.only(&["action"]);
    body.require("action");
    if body.string("action").is_some_and(|action| action != "cancel") {
        body.refuse("action", "Must be one of: cancel.");
    }
    body.finish().map(|_| ())
}
