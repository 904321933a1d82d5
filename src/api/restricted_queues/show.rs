//! `GET /v1/restricted-queues/<queue>`

use axum::extract::State;
use axum::response::Response;

use crate::api::wire::queue::restricted;
use crate::app::App;
use crate::http::{ApiResult, QueuePath, reply};
use crate::ops;

/// The owners of a restricted queue.
pub(in crate::api) async fn get(
    State(app): State<App>,
    QueuePath(queue): QueuePath,
) -> ApiResult<Response> {
    let owners = app.read(|tx| ops::restricted_queue(tx, &queue))?;
    Ok(reply::json_text(restricted(&queue, &owners)))
}
