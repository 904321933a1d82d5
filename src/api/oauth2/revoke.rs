//! `POST /v1/oauth2/revoke`

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use super::digest;
use crate::http::audit::{self, Event};
use crate::http::{ApiJson, ApiResult, App, Caller, reply};
use crate::ops;

/// Takes a refresh token back.
pub(in crate::api) async fn post(
    State(app): State<App>,
    caller: Caller,
    ApiJson(body): ApiJson,
) -> ApiResult<Response> {
    let may = caller.may_administer(&app)?;
    let digest = digest(body)?;
    let client = app.write(move |tx, _| ops::revoke_refresh(tx, &digest, &may)).await?;
    audit::log(Event::TokenRevoked, &caller, client.as_str(), "refresh token");
    Ok(reply::json(&json!({ "status": "OK" })))
}
