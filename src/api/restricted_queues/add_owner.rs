//! `POST /v1/restricted-queues/<queue>`

use axum::extract::State;
use axum::response::Response;

use super::owner;
use crate::http::audit::{self, Event};
use crate::http::{ApiJson, ApiResult, App, Caller, QueuePath, reply};
use crate::ops;

/// Restricts a queue to one more client.
pub(in crate::api) async fn post(
    State(app): State<App>,
    caller: Caller,
    QueuePath(queue): QueuePath,
    ApiJson(body): ApiJson,
) -> ApiResult<Response> {
    let may = caller.may_manage(&app)?;
    let owner = owner(body)?;
    let detail = format!("queue {queue:?} granted");
    let id = owner.clone();
    app.write(move |tx, _| ops::add_owner(tx, &queue, &id, &may)).await?;
    audit::log(Event::AccessChange, &caller, owner.as_str(), &detail);
    Ok(reply::ok())
}
