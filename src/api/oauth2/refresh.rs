//! `POST /v1/oauth2/refresh`

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use super::{digest, not_stored};
use crate::app::{App, TOKEN_LIFETIME};
use crate::http::{ApiJson, ApiResult, Caller, reply};

/// A new access token for a refresh token, with the client's rights as they are now.
pub(in crate::api) async fn post(
    State(app): State<App>,
    caller: Caller,
    ApiJson(body): ApiJson,
) -> ApiResult<Response> {
    let client = app.use_refresh(digest(body)?, caller.source()).await?;
    let token = app.access_token(&client, caller.source())?;
    Ok(not_stored(reply::json(&json!({
        "access_token": token,
        "expires_in": TOKEN_LIFETIME,
        "token_type": "Bearer",
    }))))
}
