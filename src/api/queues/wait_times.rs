//! `GET /v1/queues/wait_times`

use axum::extract::State;
use axum::response::Response;

use crate::api::wire::queue::wait_times;
use crate::app::App;
use crate::http::{ApiQuery, ApiResult, reply};
use crate::ops;

/// Percentiles of how long jobs waited, in seconds, for the named queues or all.
pub(in crate::api) async fn get(State(app): State<App>, query: ApiQuery) -> ApiResult<Response> {
    let named = query.queues()?;
    let times = app.scan(move |tx| ops::wait_times(tx, named)).await?;
    let members: Vec<String> = times.iter().map(wait_times).collect();
    Ok(reply::json_text(format!("{{{}}}", members.join(","))))
}
