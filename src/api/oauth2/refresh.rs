//! `POST /v1/oauth2/refresh`

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use super::{LIFETIME, access_token, digest, not_stored};
use crate::http::audit::{self, Event};
use crate::http::{ApiError, ApiJson, ApiResult, App, Caller, reply};
use crate::ops;

/// A new access token for a refresh token, with the client's rights as they are now.
pub(in crate::api) async fn post(
    State(app): State<App>,
    caller: Caller,
    ApiJson(body): ApiJson,
) -> ApiResult<Response> {
    let digest = digest(body)?;
    let idle = app.auth().refresh_idle;
    let used = app
        .write(move |tx, now| match ops::use_refresh(tx, now, &digest, idle) {
            Ok(client) => Ok(Ok(client)),
            Err(error @ (ops::Error::RevokedRefresh(_) | ops::Error::BadRefresh(_))) => {
                Ok(Err(error))
            }
            Err(error) => Err(error),
        })
        .await?;
    let client = used.map_err(|error| {
        match &error {
            ops::Error::RevokedRefresh(client) => {
                audit::log(Event::TokenReuse, &caller, client.as_str(), "revoked refresh token");
            }
            error => audit::log(Event::TokenFail, &caller, "", &error.to_string()),
        }
        ApiError::from(error)
    })?;
    let token = access_token(&app, &caller, &client)?;
    Ok(not_stored(reply::json(&json!({
        "access_token": token,
        "expires_in": LIFETIME,
        "token_type": "Bearer",
    }))))
}
