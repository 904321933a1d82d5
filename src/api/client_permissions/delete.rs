//! `DELETE /v1/client-permissions/<id>`

use axum::extract::State;
use axum::response::Response;

use super::client_id;
use crate::http::audit::{self, Event};
use crate::http::{ApiResult, App, Caller, TextPath, reply};
use crate::ops;

/// Removes a client.
pub(in crate::api) async fn delete(
    State(app): State<App>,
    caller: Caller,
    TextPath(id): TextPath,
) -> ApiResult<Response> {
    let may = caller.may_administer(&app)?;
    let id = client_id(id)?;
    let removed = id.clone();
    app.write(move |tx, _| ops::delete_client(tx, &removed, &may)).await?;
    audit::log(Event::ClientDeleted, &caller, id.as_str(), "");
    Ok(reply::ok())
}
