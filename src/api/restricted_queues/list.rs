//! `GET /v1/restricted-queues`

use axum::extract::State;
use axum::response::Response;

use crate::api::wire::queue::restricted;
use crate::app::App;
use crate::domain::QueueName;
use crate::http::ApiResult;
use crate::http::stream::{self, PAGE, Shape};
use crate::store::ClientReads;

/// The restricted queues and their owners, by name.
pub(in crate::api) async fn get(State(app): State<App>) -> ApiResult<Response> {
    stream::list_or_empty(&app, Shape::Array, None, |tx, after: Option<QueueName>| {
        let queues = tx.restricted_after(after.as_ref(), PAGE)?;
        let next = queues.last().filter(|_| queues.len() == PAGE).cloned();
        let mut rows = Vec::with_capacity(queues.len());
        for queue in &queues {
            rows.push(restricted(queue, &tx.owners(queue)?));
        }
        Ok((rows, next.map(Some)))
    })
    .await
}
