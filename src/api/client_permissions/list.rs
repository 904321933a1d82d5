//! `GET /v1/client-permissions`

use axum::extract::State;
use axum::response::Response;

use crate::api::wire::client::shown;
use crate::app::App;
use crate::auth::MayManage;
use crate::domain::ClientId;
use crate::http::ApiResult;
use crate::http::stream::{self, PAGE, Shape};
use crate::store::ClientReads;

/// All clients, by id.
pub(in crate::api) async fn get(State(app): State<App>, _: MayManage) -> ApiResult<Response> {
    stream::list_or_empty(&app, Shape::Array, None, |tx, after: Option<ClientId>| {
        let clients = tx.clients_after(after.as_ref(), PAGE)?;
        let next = clients.last().filter(|_| clients.len() == PAGE).map(|last| last.id.clone());
        Ok((clients.iter().map(shown).collect(), next.map(Some)))
    })
    .await
}
