//! `DELETE /v1/restricted-queues/<queue>`

use axum::extract::State;
use axum::response::Response;

use crate::api::wire::queue::Owner;
use crate::app::App;
use crate::app::audit::Event;
use crate::auth::MayManage;
use crate::http::{ApiJson, ApiResult, Caller, QueuePath, reply};
use crate::ops;

/// Takes a restricted queue from a client; it opens when no owner is left.
pub(in crate::api) async fn delete(
    State(app): State<App>,
    caller: Caller,
    may: MayManage,
    QueuePath(queue): QueuePath,
    ApiJson(Owner(owner)): ApiJson<Owner>,
) -> ApiResult<Response> {
    let detail = format!("queue {queue:?} taken");
    let id = owner.clone();
    app.write(move |tx, _| ops::remove_owner(tx, &queue, &id, &may)).await?;
    caller.audit(Event::AccessChange, owner.as_str(), &detail);
    Ok(reply::ok())
}
