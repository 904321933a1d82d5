//! `GET /v1/client-permissions/<id>`

use axum::extract::State;

use super::client_id;
use crate::api::wire::client::{Shown, shown};
use crate::app::App;
use crate::auth::MayManage;
use crate::http::{Answer, ApiResult, TextPath};
use crate::ops;

/// One client.
pub(in crate::api) async fn get(
    State(app): State<App>,
    may: MayManage,
    TextPath(id): TextPath,
) -> ApiResult<Answer<Shown<'static>>> {
    let id = client_id(id)?;
    let client = app.read(|tx| ops::client(tx, &id, &may))?;
    Ok(Answer::of(&shown(&client)))
}
