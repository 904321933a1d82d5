//! `POST /v1/client-permissions`

use axum::extract::State;
use axum::response::Response;

use super::hashed;
use crate::api::wire::client::{Rules, asked};
use crate::app::App;
use crate::app::audit::Event;
use crate::auth::MayManage;
use crate::domain::{ClientId, Role};
use crate::http::{ApiError, ApiJson, ApiResult, Caller, reply};
use crate::ops::{self, Put};

/// As the document's server read it: any secret that is not empty.
const RULES: Rules = Rules {
    shortest_secret: 0,
    roles: &[Role::Admin, Role::Manager, Role::Contributor, Role::User],
    local: false,
};

/// Creates a client.
pub(in crate::api) async fn post(
    State(app): State<App>,
    caller: Caller,
    may: MayManage,
    ApiJson(body): ApiJson,
) -> ApiResult<Response> {
    let missing =
        || ApiError::bad_request("Error: Missing client_id or client_secret in request body");
    let given = |name: &str| body.peek(name).is_some_and(|value| !value.is_null() && value != "");
    if !given("client_id") || !given("client_secret") {
        return Err(missing());
    }
    let asked = asked(body, &RULES)?;
    let id = asked.id.clone().ok_or_else(missing)?;
    let id = ClientId::try_from(id)
        .map_err(|error| ApiError::bad_request(format!("Error: client_id: {error}")))?;
    // Asked before the secret is hashed, because that takes a while.
    app.read(|tx| ops::is_free(tx, &id))?;
    let change = hashed(&app, asked).await?;
    let created = id.clone();
    app.write(move |tx, now| ops::put_client(tx, now, &id, &change, Put::Create, &may)).await?;
    caller.audit(Event::ClientCreated, created.as_str(), "");
    Ok(reply::ok())
}
