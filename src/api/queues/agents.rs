//! `GET /v1/queues/<queue>/agents`

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::api::wire::agent;
use crate::app::App;
use crate::http::stream::{self, PAGE, Shape};
use crate::http::{ApiError, ApiResult, QueuePath, reply};
use crate::ops::{self, QueueKnown};
use crate::store::AgentReads;

/// The agents that serve a queue.
pub(in crate::api) async fn get(
    State(app): State<App>,
    QueuePath(queue): QueuePath,
) -> ApiResult<Response> {
    match app.read(|tx| ops::queue_known(tx, &queue))? {
        QueueKnown::Unknown => {
            let message = format!("Queue '{queue}' does not exist.");
            Err(ApiError::new(StatusCode::NOT_FOUND, message))
        }
        QueueKnown::Advertised => Ok(reply::nothing()),
        QueueKnown::Served => {
            stream::list_or_empty(&app, Shape::Array, 0, move |tx, after| {
                let agents = tx.queue_agents_after(&queue, after, PAGE)?;
                let next = agents.last().filter(|_| agents.len() == PAGE).map(|agent| agent.seq);
                Ok((agents.iter().map(agent::of_queue).collect(), next))
            })
            .await
        }
    }
}
