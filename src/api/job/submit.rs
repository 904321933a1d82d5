//! `POST /v1/job`

use axum::extract::State;
use axum::response::Response;

use crate::api::wire::job::{Submitted, submission};
use crate::app::App;
use crate::http::{ApiJson, ApiResult, reply};
use crate::ops::{self, By};

/// Puts a job into its queue.
pub(in crate::api) async fn post(
    State(app): State<App>,
    by: By,
    ApiJson(body): ApiJson,
) -> ApiResult<Response> {
    let submission = submission(body)?;
    let job_id = app.write(move |tx, now| ops::submit(tx, now, &submission, &by)).await?;
    Ok(reply::json(&Submitted { job_id }))
}
