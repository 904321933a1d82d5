//! `PUT /v1/client-permissions/<id>`

use axum::extract::State;
use axum::response::Response;

use super::{client_id, hashed};
use crate::api::wire::client::Change;
use crate::app::App;
use crate::auth::MayManage;
use crate::http::{ApiJson, ApiResult, Caller, TextPath, reply};
use crate::ops::{self, Done, Put};

/// Changes a client, or creates it when a secret is given. What is absent stays.
pub(in crate::api) async fn put(
    State(app): State<App>,
    caller: Caller,
    may: MayManage,
    TextPath(id): TextPath,
    ApiJson(Change(asked)): ApiJson<Change>,
) -> ApiResult<Response> {
    let id = client_id(id)?;
    let change = hashed(&app, asked).await?;
    let put = id.clone();
    let done = app
        .write(move |tx, now| ops::put_client(tx, now, &put, &change, Put::CreateOrEdit, &may))
        .await?;
    super::audit(&caller, &id, &done);
    let verb = if done == Done::Created { "Created" } else { "Updated" };
    Ok(reply::text(format!("{verb} permissions for client '{id}'")))
}
