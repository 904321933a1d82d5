//! `DELETE /admin/restricted-queues/<queue>`

use axum::extract::State;
use axum::response::Response;

use crate::http::audit::{self, Event};
use crate::http::{ApiResult, App, Caller, QueuePath, reply};
use crate::ops;

/// Opens a queue, whoever owns it.
pub(in crate::api) async fn open(
    State(app): State<App>,
    caller: Caller,
    QueuePath(queue): QueuePath,
) -> ApiResult<Response> {
    let may = caller.may_manage(&app)?;
    let name = queue.to_string();
    app.write(move |tx, _| ops::open_queue(tx, &queue, &may)).await?;
    audit::log(Event::AccessChange, &caller, &name, "the queue was opened");
    Ok(reply::ok())
}
