//! `DELETE /v1/client-permissions/<id>`

use axum::extract::State;
use axum::response::Response;

use super::client_id;
use crate::app::App;
use crate::app::audit::Event;
use crate::auth::MayAdminister;
use crate::http::{ApiResult, Caller, TextPath, reply};
use crate::ops;

/// Removes a client.
pub(in crate::api) async fn delete(
    State(app): State<App>,
    caller: Caller,
    may: MayAdminister,
    TextPath(id): TextPath,
) -> ApiResult<Response> {
    let id = client_id(id)?;
    let removed = id.clone();
    app.write(move |tx, _| ops::delete_client(tx, &removed, &may)).await?;
    caller.audit(Event::ClientDeleted, id.as_str(), "");
    Ok(reply::ok())
}
