//! `POST /v1/result/<id>`

use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::http::{ApiJson, ApiResult, JobPath, reply};
use crate::ops::{self, By, Posted};

/// Merges a result. Unknown ids are accepted too: agents send a refused result again and again.
pub(in crate::api) async fn post(
    State(app): State<App>,
    by: By,
    JobPath(id): JobPath,
    ApiJson(posted): ApiJson<Posted>,
) -> ApiResult<Response> {
    app.write_large(move |tx, now| ops::post_result(tx, now, id, &posted, &by)).await?;
    Ok(reply::ok())
}
