//! `POST /v1/client-permissions`

use axum::extract::State;
use axum::response::Response;

use super::hashed;
use crate::api::wire::client::NewClient;
use crate::app::App;
use crate::app::audit::Event;
use crate::auth::MayManage;
use crate::http::{ApiJson, ApiResult, Caller, reply};
use crate::ops::{self, Put};

/// Creates a client.
pub(in crate::api) async fn post(
    State(app): State<App>,
    caller: Caller,
    may: MayManage,
    ApiJson(NewClient(id, asked)): ApiJson<NewClient>,
) -> ApiResult<Response> {
    // Asked before the secret is hashed, because that takes a while.
    app.read(|tx| ops::is_free(tx, &id))?;
    let change = hashed(&app, asked).await?;
    let created = id.clone();
    app.write(move |tx, now| ops::put_client(tx, now, &id, &change, Put::Create, &may)).await?;
    caller.audit(Event::ClientCreated, created.as_str(), "");
    Ok(reply::ok())
}
