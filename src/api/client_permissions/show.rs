//! `GET /v1/client-permissions/<id>`

use axum::extract::State;
use axum::response::Response;

use super::client_id;
use crate::api::wire::client::shown;
use crate::app::App;
use crate::auth::MayManage;
use crate::http::{ApiResult, TextPath, reply};
use crate::ops;

/// One client.
pub(in crate::api) async fn get(
    State(app): State<App>,
    may: MayManage,
    TextPath(id): TextPath,
) -> ApiResult<Response> {
    let id = client_id(id)?;
    let client = app.read(|tx| ops::client(tx, &id, &may))?;
    Ok(reply::json_text(shown(&client)))
}
