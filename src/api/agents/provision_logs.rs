//! `POST /v1/agents/provision_logs/<name>`

use axum::extract::State;
use axum::response::Response;

use crate::api::wire::agent::Provisioned;
use crate::app::App;
use crate::http::{AgentPath, ApiJson, ApiResult, reply};
use crate::ops::{self, By};

/// Keeps how a provisioning ended.
pub(in crate::api) async fn post(
    State(app): State<App>,
    by: By,
    AgentPath(name): AgentPath,
    ApiJson(provisioned): ApiJson<Provisioned>,
) -> ApiResult<Response> {
    by.speaks_for(&name)?;
    let entry = provisioned.at(app.now());
    app.write(move |tx, _| ops::post_provision(tx, &name, &entry)).await?;
    Ok(reply::ok())
}
