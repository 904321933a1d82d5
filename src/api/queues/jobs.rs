//! `GET /v1/queues/<queue>/jobs`

use axum::extract::State;

use crate::api::wire::job::{Row, queued};
use crate::app::App;
use crate::http::{Answer, ApiResult, ListOf, QueuePath, stream};
use crate::ops;

/// The jobs of a queue in all states, in submit order.
pub(in crate::api) async fn get(
    State(app): State<App>,
    QueuePath(queue): QueuePath,
) -> ApiResult<Answer<ListOf<Row<'static>>>> {
    let page = move |tx: &_, after, limit| ops::queue_jobs(tx, &queue, after, limit);
    let list = stream::list(&app, page, queued).await?;
    Ok(list.unwrap_or_else(Answer::nothing))
}
