//! `DELETE /admin/restricted-queues/<queue>`

use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::app::audit::Event;
use crate::auth::MayManage;
use crate::http::{ApiResult, Caller, QueuePath, reply};
use crate::ops;

/// Opens a queue, whoever owns it.
pub(in crate::api) async fn open(
    State(app): State<App>,
    caller: Caller,
    may: MayManage,
    QueuePath(queue): QueuePath,
) -> ApiResult<Response> {
    let name = queue.to_string();
    app.write(move |tx, _| ops::open_queue(tx, &queue, &may)).await?;
    caller.audit(Event::AccessChange, &name, "the queue was opened");
    Ok(reply::ok())
}
