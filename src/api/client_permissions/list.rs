//! `GET /v1/client-permissions`

use axum::extract::State;
use axum::response::Response;

use crate::api::wire::client::shown;
use crate::app::App;
use crate::auth::MayManage;
use crate::domain::ClientId;
use crate::http::ApiResult;
use crate::http::stream::{self, Shape};
use crate::ops;

/// All clients, by id.
pub(in crate::api) async fn get(State(app): State<App>, may: MayManage) -> ApiResult<Response> {
    let page =
        move |tx: &_, after: Option<ClientId>, limit| ops::clients(tx, after.as_ref(), limit, &may);
    stream::list_or_empty(&app, Shape::Array, page, shown).await
}
