//! `GET /v1/job`

use axum::extract::State;
use axum::response::Response;

use crate::api::wire::job::claimed;
use crate::http::{ApiError, ApiQuery, ApiResult, App, Caller, reply};
use crate::ops;
use crate::store::{Ask, JobReads};

/// Hands out a job. An empty poll reads a snapshot and never reaches the writer.
pub(in crate::api) async fn get(
    State(app): State<App>,
    caller: Caller,
    query: ApiQuery,
) -> ApiResult<Response> {
    let ask = ask(&caller, &query)?;
    let something = app.read(|tx| {
        let lost = |agent| tx.unacknowledged(agent, &ask.queues);
        let again = ask.agent.as_ref().map(lost).transpose()?.flatten();
        Ok::<_, ops::Error>(again.is_some() || tx.first_claimable(&ask)?.is_some())
    })?;
    if !something {
        return Ok(reply::nothing());
    }
    let by = caller.by();
    let job = app.write(move |tx, now| ops::claim(tx, now, &ask, &by)).await?;
    Ok(job.map_or_else(reply::nothing, |job| reply::json_text(claimed(&job))))
}

/// `HEAD` says what `GET` would say to a poll that finds nothing: it must not take a job.
pub(in crate::api) async fn head(caller: Caller, query: ApiQuery) -> ApiResult<Response> {
    ask(&caller, &query)?;
    Ok(reply::nothing())
}

fn ask(caller: &Caller, query: &ApiQuery) -> ApiResult<Ask> {
    let queues = query.queues()?;
    if queues.is_empty() {
        return Err(ApiError::bad_request("No queue(s) specified in request"));
    }
    Ok(Ask { queues, agent: caller.agent.clone(), secrets: false })
}
