//! `GET /v1/queues/<queue>/jobs`

use axum::extract::State;
use axum::response::Response;

use crate::api::wire::job::queued;
use crate::app::App;
use crate::http::stream::{self, PAGE, Shape};
use crate::http::{ApiResult, QueuePath, reply};
use crate::store::JobReads;

/// The jobs of a queue in all states, in submit order.
pub(in crate::api) async fn get(
    State(app): State<App>,
    QueuePath(queue): QueuePath,
) -> ApiResult<Response> {
    let list = stream::list(&app, Shape::Array, 0, move |tx, after| {
        let rows = tx.queue_jobs_after(&queue, after, PAGE)?;
        let next = rows.last().filter(|_| rows.len() == PAGE).map(|row| row.seq);
        let mut jobs = Vec::with_capacity(rows.len());
        for row in rows {
            jobs.extend(tx.job(row.id)?.as_ref().map(queued));
        }
        Ok((jobs, next))
    });
    Ok(list.await?.unwrap_or_else(reply::nothing))
}
