//! `POST /v1/restricted-queues/<queue>`

use axum::extract::State;
use axum::response::Response;

use crate::api::wire::queue::Owner;
use crate::app::App;
use crate::app::audit::Event;
use crate::auth::MayManage;
use crate::http::{ApiJson, ApiResult, Caller, QueuePath, reply};
use crate::ops;

/// Restricts a queue to one more client.
pub(in crate::api) async fn post(
    State(app): State<App>,
    caller: Caller,
    may: MayManage,
    QueuePath(queue): QueuePath,
    ApiJson(Owner(owner)): ApiJson<Owner>,
) -> ApiResult<Response> {
    let detail = format!("queue {queue:?} granted");
    let id = owner.clone();
    app.write(move |tx, _| ops::add_owner(tx, &queue, &id, &may)).await?;
    caller.audit(Event::AccessChange, owner.as_str(), &detail);
    Ok(reply::ok())
}
