//! `DELETE /v1/restricted-queues/<queue>`

use axum::extract::State;
use axum::response::Response;

use super::owner;
use crate::http::audit::{self, Event};
use crate::http::{ApiJson, ApiResult, App, Caller, QueuePath, reply};
use crate::ops;

/// Takes a restricted queue from a client; it opens when no owner is left.
pub(in crate::api) async fn delete(
    State(app): State<App>,
    caller: Caller,
    QueuePath(queue): QueuePath,
    ApiJson(body): ApiJson,
) -> ApiResult<Response> {
    let may = caller.may_manage(&app)?;
    let owner = owner(body)?;
    let detail = format!("queue {queue:?} taken");
    let id = owner.clone();
    app.write(move |tx, _| ops::remove_owner(tx, &queue, &id, &may)).await?;
    audit::log(Event::AccessChange, &caller, owner.as_str(), &detail);
    Ok(reply::ok())
}
