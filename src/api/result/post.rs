//! `POST /v1/result/<id>`

use axum::extract::State;
use axum::response::Response;

use crate::api::wire::result::posted;
use crate::http::{ApiResult, App, Caller, JobPath, ResultJson, reply};
use crate::ops;

/// Merges a result. Unknown ids are accepted too: agents send a refused result again and again.
pub(in crate::api) async fn post(
    State(app): State<App>,
    caller: Caller,
    JobPath(id): JobPath,
    ResultJson(body): ResultJson,
) -> ApiResult<Response> {
    let posted = posted(body)?;
    let by = caller.by(&app);
    app.write(move |tx, now| ops::post_result(tx, now, id, &posted, &by)).await?;
    Ok(reply::ok())
}
