//! `GET /v1/client-permissions/<id>`

use axum::extract::State;
use axum::response::Response;

use super::client_id;
use crate::api::wire::client::shown;
use crate::app::App;
use crate::auth::MayManage;
use crate::http::{ApiResult, TextPath, reply};
use crate::ops;
use crate::store::ClientReads;

/// One client.
pub(in crate::api) async fn get(
    State(app): State<App>,
    _: MayManage,
    TextPath(id): TextPath,
) -> ApiResult<Response> {
    let id = client_id(id)?;
    let client = app.read(|tx| tx.client(&id)?.ok_or(ops::Error::NoClient))?;
    Ok(reply::json_text(shown(&client)))
}
