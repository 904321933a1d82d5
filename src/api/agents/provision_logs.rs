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
    let after = app.quarantine_after();
    app.write(move |tx, now| ops::post_provision(tx, now, &name, &entry, after)).await?;
    Ok(reply::ok())
}
