//! `/admin/agents/<name>/aside`: an agent finishes what it runs and gets no more jobs.

use axum::extract::State;
use axum::response::Response;

use crate::api::wire::agent::Why;
use crate::app::App;
use crate::http::{AgentPath, ApiJson, ApiResult, reply};
use crate::ops::{self, By};

/// Hands out no more jobs to it.
pub(in crate::api) async fn drain(
    State(app): State<App>,
    by: By,
    AgentPath(name): AgentPath,
    ApiJson(Why { why }): ApiJson<Why>,
) -> ApiResult<Response> {
    tracing::info!(agent = %name, why, "an agent is drained");
    app.write(move |tx, now| ops::drain_agent(tx, now, &name, &why, &by)).await?;
    Ok(reply::ok())
}

/// Hands out jobs to it again.
pub(in crate::api) async fn resume(
    State(app): State<App>,
    by: By,
    AgentPath(name): AgentPath,
) -> ApiResult<Response> {
    let resumed = name.clone();
    app.write(move |tx, now| ops::resume_agent(tx, now, &resumed, &by)).await?;
    tracing::info!(agent = %name, "an agent gets jobs again");
    // Its held request found nothing while it was set aside, so it shall ask anew.
    app.presence().release(&name);
    Ok(reply::ok())
}
