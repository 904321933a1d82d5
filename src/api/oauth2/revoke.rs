//! `POST /v1/oauth2/revoke`

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use super::digest;
use crate::app::App;
use crate::app::audit::Event;
use crate::auth::MayAdminister;
use crate::http::{ApiJson, ApiResult, Caller, reply};
use crate::ops;

/// Takes a refresh token back.
pub(in crate::api) async fn post(
    State(app): State<App>,
    caller: Caller,
    may: MayAdminister,
    ApiJson(body): ApiJson,
) -> ApiResult<Response> {
    let digest = digest(body)?;
    let client = app.write(move |tx, _| ops::revoke_refresh(tx, &digest, &may)).await?;
    caller.audit(Event::TokenRevoked, client.as_str(), "refresh token");
    Ok(reply::json(&json!({ "status": "OK" })))
}
