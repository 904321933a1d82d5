//! `GET /v1/queues/wait_times`

use axum::extract::State;

use crate::api::wire::queue::{Waits, wait_times};
use crate::api::wire::search::NamedQueues;
use crate::app::App;
use crate::http::{Answer, ApiQuery, ApiResult, MapOf};
use crate::ops;

/// Percentiles of how long jobs waited, in seconds, for the named queues or all.
pub(in crate::api) async fn get(
    State(app): State<App>,
    ApiQuery(named): ApiQuery<NamedQueues>,
) -> ApiResult<Answer<MapOf<Waits>>> {
    let times = app.scan(move |tx| ops::wait_times(tx, named.queues)).await?;
    let members: Vec<String> = times.iter().map(wait_times).collect();
    Ok(Answer::text(format!("{{{}}}", members.join(","))))
}
