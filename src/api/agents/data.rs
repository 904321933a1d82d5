//! `/v1/agents/data`

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;

use crate::api::wire::agent;
use crate::app::App;
use crate::domain::{AgentPost, Timestamp};
use crate::http::{AgentPath, Answer, ApiJson, ApiResult, ListOf, agent_cookie, stream};
use crate::ops::{self, AgentView, By};

/// All agents, in the order of their first appearance.
pub(in crate::api) async fn list(
    State(app): State<App>,
) -> ApiResult<Answer<ListOf<agent::Shown>>> {
    let seen = app.clone();
    let show = move |view: &AgentView| agent::shown(view, last_seen(&seen, view));
    stream::list_or_empty(&app, ops::agents, show).await
}

/// One agent.
pub(in crate::api) async fn get(
    State(app): State<App>,
    AgentPath(name): AgentPath,
) -> ApiResult<Answer<agent::Shown>> {
    let Some(view) = app.read(|tx| ops::agent(tx, &name))? else {
        return Ok(Answer::text("{}".to_owned()).status(StatusCode::NOT_FOUND));
    };
    Ok(Answer::text(agent::shown(&view, last_seen(&app, &view))))
}

/// When an agent last sent a request. What it last said about itself is stored, and everything else is remembered while
/// the server runs.
fn last_seen(app: &App, view: &AgentView) -> Timestamp {
    let heard = app.presence().heard(&view.agent.name);
    heard.map_or(view.agent.updated_at, |heard| heard.max(view.agent.updated_at))
}

/// Takes what an agent says about itself, and gives it the cookie by which it is known from then on.
pub(in crate::api) async fn post(
    State(app): State<App>,
    by: By,
    AgentPath(name): AgentPath,
    ApiJson(posted): ApiJson<AgentPost>,
) -> ApiResult<Answer<agent::Done>> {
    let cookie = agent_cookie::set(&name);
    by.speaks_for(&name)?;
    let told = ["state", "mode"].iter().any(|member| posted.fields.contains_key(*member));
    let posted_name = name.clone();
    app.write(move |tx, now| ops::post_agent(tx, now, &posted_name, &posted, &by)).await?;
    if told {
        app.presence().release(&name);
    }
    let done = Answer::of(&agent::DONE);
    Ok(match cookie {
        Some(cookie) => done.header((SET_COOKIE, cookie)),
        None => done,
    })
}
