//! `POST /v1/job`

use axum::extract::State;
use axum::http::HeaderMap;

use crate::api::wire::job::Submitted;
use crate::app::App;
use crate::http::{Answer, ApiError, ApiJson, ApiResult};
use crate::ops::{self, By, Once, Submission};

/// The longest key, bytes.
const LONGEST_KEY: usize = 255;

/// Puts a job into its queue. With a key, a submission that is sent again makes no second job.
pub(in crate::api) async fn post(
    State(app): State<App>,
    by: By,
    headers: HeaderMap,
    ApiJson(submission): ApiJson<Submission>,
) -> ApiResult<Answer<Submitted>> {
    let (key, queue, reserves) = (key(&headers)?, submission.queue.clone(), submission.reserves);
    let submit = app.write(move |tx, now| match &key {
        Some(key) => ops::submit_once(tx, now, &submission, key, &by),
        None => Ok(Once { id: ops::submit(tx, now, &submission, &by)?, fresh: true }),
    });
    let Once { id: job_id, fresh } = submit.await?;
    if fresh {
        app.metrics().submitted(queue.as_str(), reserves);
    }
    Ok(Answer::of(&Submitted { job_id }))
}

fn key(headers: &HeaderMap) -> ApiResult<Option<String>> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| (1..=LONGEST_KEY).contains(&key.len()));
    let bad = || ApiError::bad_request("Invalid Idempotency-Key");
    key.map(|key| Some(key.to_owned())).ok_or_else(bad)
}
