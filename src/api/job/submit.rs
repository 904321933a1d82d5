//! `POST /v1/job`

use axum::extract::State;

use crate::api::wire::job::Submitted;
use crate::app::App;
use crate::http::{Answer, ApiJson, ApiResult};
use crate::ops::{self, By, Submission};

/// Puts a job into its queue.
pub(in crate::api) async fn post(
    State(app): State<App>,
    by: By,
    ApiJson(submission): ApiJson<Submission>,
) -> ApiResult<Answer<Submitted>> {
    let (queue, reserves) = (submission.queue.clone(), submission.reserves);
    let job_id = app.write(move |tx, now| ops::submit(tx, now, &submission, &by)).await?;
    app.metrics().submitted(queue.as_str(), reserves);
    Ok(Answer::of(&Submitted { job_id }))
}
