//! `GET /v1/queues/<queue>/jobs`

use axum::extract::State;
use axum::response::Response;

use crate::api::wire::job::queued;
use crate::app::App;
use crate::http::stream::{self, Shape};
use crate::http::{ApiResult, QueuePath, reply};
use crate::ops;

/// The jobs of a queue in all states, in submit order.
pub(in crate::api) async fn get(
    State(app): State<App>,
    QueuePath(queue): QueuePath,
) -> ApiResult<Response> {
    let page = move |tx: &_, after, limit| ops::queue_jobs(tx, &queue, after, limit);
    let list = stream::list(&app, Shape::Array, page, queued).await?;
    Ok(list.unwrap_or_else(reply::nothing))
}
