//! `POST` and `DELETE /v1/restricted-queues/<queue>`: one owner more, and one less

use axum::extract::State;
use axum::response::Response;

use crate::api::wire::queue::Owner;
use crate::app::App;
use crate::app::audit::Event;
use crate::auth::MayManage;
use crate::domain::{ClientId, QueueName};
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
    let (granted, to) = (queue.clone(), owner.clone());
    app.write(move |tx, _| ops::add_owner(tx, &granted, &to, &may)).await?;
    Ok(done(&caller, &queue, &owner, "granted"))
}

/// Takes a restricted queue from a client; it opens when no owner is left.
pub(in crate::api) async fn delete(
    State(app): State<App>,
    caller: Caller,
    may: MayManage,
    QueuePath(queue): QueuePath,
    ApiJson(Owner(owner)): ApiJson<Owner>,
) -> ApiResult<Response> {
    let (taken, from) = (queue.clone(), owner.clone());
    app.write(move |tx, _| ops::remove_owner(tx, &taken, &from, &may)).await?;
    Ok(done(&caller, &queue, &owner, "taken"))
}

fn done(caller: &Caller, queue: &QueueName, owner: &ClientId, what: &str) -> Response {
    caller.audit(Event::AccessChange, owner.as_str(), &format!("queue {queue:?} {what}"));
    reply::ok()
}
