//! `POST /v1/oauth2/refresh`

use axum::extract::State;

use super::NOT_STORED;
use crate::api::wire::token::{Digest, Tokens};
use crate::app::App;
use crate::http::{Answer, ApiJson, ApiResult, Caller};

/// A new access token for a refresh token, with the client's rights as they are now.
pub(in crate::api) async fn post(
    State(app): State<App>,
    caller: Caller,
    ApiJson(Digest(digest)): ApiJson<Digest>,
) -> ApiResult<Answer<Tokens<'static>>> {
    let client = app.use_refresh(digest, caller.source()).await?;
    let token = app.access_token(&client, caller.source())?;
    Ok(Answer::of(&Tokens::new(&token, None)).header(NOT_STORED))
}
