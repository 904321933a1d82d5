//! `/v1/agents/data`

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use serde_json::json;

use crate::api::wire::agent;
use crate::app::App;
use crate::http::stream::{self, Shape};
use crate::http::{AgentPath, ApiJson, ApiResult, agent_cookie, reply};
use crate::ops::{self, By};

/// All agents, in the order of their first appearance.
pub(in crate::api) async fn list(State(app): State<App>) -> ApiResult<Response> {
    stream::list_or_empty(&app, Shape::Array, ops::agents, agent::shown).await
}

/// One agent.
pub(in crate::api) async fn get(
    State(app): State<App>,
    AgentPath(name): AgentPath,
) -> ApiResult<Response> {
    let Some(view) = app.read(|tx| ops::agent(tx, &name))? else {
        let mut response = reply::json(&json!({}));
        *response.status_mut() = StatusCode::NOT_FOUND;
        return Ok(response);
    };
    Ok(reply::json_text(agent::shown(&view)))
}

/// Takes what an agent says about itself, and gives it the cookie by which it is known from then on.
pub(in crate::api) async fn post(
    State(app): State<App>,
    by: By,
    AgentPath(name): AgentPath,
    ApiJson(body): ApiJson,
) -> ApiResult<Response> {
    let posted = agent::post(body)?;
    let cookie = agent_cookie::set(&name);
    let (posted_name, told) = (name.clone(), posted.fields.contains_key("state"));
    app.write(move |tx, now| ops::post_agent(tx, now, &posted_name, &posted, &by)).await?;
    if told {
        app.presence().release(&name);
    }
    let mut response = reply::json(&json!({ "status": "OK" }));
    response.headers_mut().extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
    Ok(response)
}
