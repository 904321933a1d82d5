//! `POST /v1/oauth2/revoke`

use axum::extract::State;

use crate::api::wire::agent::{DONE, Done};
use crate::api::wire::token::Digest;
use crate::app::App;
use crate::app::audit::Event;
use crate::auth::MayAdminister;
use crate::http::{Answer, ApiJson, ApiResult, Caller};
use crate::ops;

/// Takes a refresh token back.
pub(in crate::api) async fn post(
    State(app): State<App>,
    caller: Caller,
    may: MayAdminister,
    ApiJson(Digest(digest)): ApiJson<Digest>,
) -> ApiResult<Answer<Done>> {
    let client = app.write(move |tx, _| ops::revoke_refresh(tx, &digest, &may)).await?;
    caller.audit(Event::TokenRevoked, client.as_str(), "refresh token");
    Ok(Answer::of(&DONE))
}
