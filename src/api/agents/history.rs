//! `GET /v1/agents/data/<name>/history`

use axum::extract::State;
use axum::http::StatusCode;

use crate::api::wire::change::Changed;
use crate::app::App;
use crate::http::{AgentPath, Answer, ApiError, ApiResult, ListOf, json};
use crate::ops;

/// What has changed of an agent: who did it, when and why.
pub(in crate::api) async fn get(
    State(app): State<App>,
    AgentPath(name): AgentPath,
) -> ApiResult<Answer<ListOf<Changed>>> {
    let Some(history) = app.read(|tx| ops::agent_history(tx, &name))? else {
        return Err(ApiError::new(StatusCode::NOT_FOUND, "Agent not found"));
    };
    let changes: Vec<Changed> = history.iter().map(Changed::from).collect();
    Ok(Answer::text(json::text(&changes)))
}
