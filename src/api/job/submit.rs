//! `POST /v1/job`

use axum::extract::State;
use axum::response::Response;

use crate::api::wire::job::{Submitted, submission};
use crate::http::{ApiJson, ApiResult, App, Caller, reply};
use crate::ops;

/// Puts a job into its queue.
pub(in crate::api) async fn post(
    State(app): State<App>,
    caller: Caller,
    ApiJson(body): ApiJson,
) -> ApiResult<Response> {
    let submission = submission(body)?;
    let by = caller.by(&app);
    let job_id = app.write(move |tx, now| ops::submit(tx, now, &submission, &by)).await?;
    Ok(reply::json(&Submitted { job_id }))
}
