//! `GET /v1/client-permissions`

use axum::extract::State;

use crate::api::wire::client::{Shown, shown};
use crate::app::App;
use crate::auth::MayManage;
use crate::domain::ClientId;
use crate::http::{Answer, ApiResult, ListOf, json, stream};
use crate::ops;

/// All clients, by id.
pub(in crate::api) async fn get(
    State(app): State<App>,
    may: MayManage,
) -> ApiResult<Answer<ListOf<Shown<'static>>>> {
    let page =
        move |tx: &_, after: Option<ClientId>, limit| ops::clients(tx, after.as_ref(), limit, &may);
    stream::list_or_empty(&app, page, |client| json::text(&shown(client))).await
}
