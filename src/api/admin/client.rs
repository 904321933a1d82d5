//! `/admin/clients/<id>`: everything about a client, imported hashes too.

use axum::extract::State;
use axum::response::Response;

use crate::api::client_permissions::{audit, client_id, hashed};
use crate::api::wire::client::{Asked, LocalChange};
use crate::app::App;
use crate::auth::MayManage;
use crate::domain::ClientId;
use crate::http::{ApiError, ApiJson, ApiResult, Caller, TextPath, reply};
use crate::ops::{self, Put};

/// Creates a client.
pub(in crate::api) async fn create(
    State(app): State<App>,
    caller: Caller,
    may: MayManage,
    TextPath(id): TextPath,
    ApiJson(LocalChange(asked)): ApiJson<LocalChange>,
) -> ApiResult<Response> {
    let bad = |error| ApiError::bad_request(format!("Error: client_id: {error}"));
    let id = ClientId::try_from(id).map_err(bad)?;
    apply(&app, (&caller, may), id, asked, Put::Create).await
}

/// Changes a client.
pub(in crate::api) async fn edit(
    State(app): State<App>,
    caller: Caller,
    may: MayManage,
    TextPath(id): TextPath,
    ApiJson(LocalChange(asked)): ApiJson<LocalChange>,
) -> ApiResult<Response> {
    apply(&app, (&caller, may), client_id(id)?, asked, Put::Edit).await
}

async fn apply(
    app: &App,
    (caller, may): (&Caller, MayManage),
    id: ClientId,
    asked: Asked,
    how: Put,
) -> ApiResult<Response> {
    let change = hashed(app, asked).await?;
    let put = id.clone();
    let done = app.write(move |tx, now| ops::put_client(tx, now, &put, &change, how, &may)).await?;
    audit(caller, &id, &done);
    Ok(reply::ok())
}
