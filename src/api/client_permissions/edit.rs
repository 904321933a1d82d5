//! `PUT /v1/client-permissions/<id>`

use axum::extract::State;
use axum::response::Response;

use super::{client_id, hashed};
use crate::api::wire::client::{Rules, SHORTEST_SECRET, asked};
use crate::app::App;
use crate::app::audit::Event;
use crate::auth::MayManage;
use crate::domain::Role;
use crate::http::{ApiJson, ApiResult, Caller, TextPath, reply};
use crate::ops::{self, Done, Put};

const RULES: Rules = Rules { shortest_secret: SHORTEST_SECRET, roles: &Role::ALL, local: false };

/// Changes a client, or creates it when a secret is given. What is absent stays.
pub(in crate::api) async fn put(
    State(app): State<App>,
    caller: Caller,
    may: MayManage,
    TextPath(id): TextPath,
    ApiJson(body): ApiJson,
) -> ApiResult<Response> {
    let asked = asked(body, &RULES)?;
    let id = client_id(id)?;
    let change = hashed(&app, asked).await?;
    let put = id.clone();
    let done = app
        .write(move |tx, now| ops::put_client(tx, now, &put, &change, Put::CreateOrEdit, &may))
        .await?;
    let (event, verb) = match done {
        Done::Created => (Event::ClientCreated, "Created"),
        Done::Updated => (Event::ClientUpdated, "Updated"),
    };
    caller.audit(event, id.as_str(), "");
    Ok(reply::text(format!("{verb} permissions for client '{id}'")))
}
