//! `GET /v1/queues/<queue>/agents`

use axum::extract::State;
use axum::http::StatusCode;

use crate::api::wire::agent;
use crate::app::App;
use crate::http::{Answer, ApiError, ApiResult, ListOf, QueuePath, stream};
use crate::ops::{self, QueueKnown};

/// The agents that serve a queue.
pub(in crate::api) async fn get(
    State(app): State<App>,
    QueuePath(queue): QueuePath,
) -> ApiResult<Answer<ListOf<agent::InQueue>>> {
    match app.read(|tx| ops::queue_known(tx, &queue))? {
        QueueKnown::Unknown => {
            let message = format!("Queue '{queue}' does not exist.");
            Err(ApiError::new(StatusCode::NOT_FOUND, message))
        }
        QueueKnown::Advertised => Ok(Answer::nothing()),
        QueueKnown::Served => {
            let page = move |tx: &_, after, limit| ops::queue_agents(tx, &queue, after, limit);
            stream::list_or_empty(&app, page, agent::of_queue).await
        }
    }
}
