//! `GET /v1/restricted-queues/<queue>`

use axum::extract::State;

use crate::api::wire::queue::Restricted;
use crate::app::App;
use crate::http::{Answer, ApiResult, QueuePath};
use crate::ops;

/// The owners of a restricted queue.
pub(in crate::api) async fn get(
    State(app): State<App>,
    QueuePath(queue): QueuePath,
) -> ApiResult<Answer<Restricted<'static>>> {
    let owners = app.read(|tx| ops::restricted_queue(tx, &queue))?;
    Ok(Answer::of(&Restricted { owners: &owners, queue: &queue }))
}
