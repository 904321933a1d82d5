//! `GET /v1/job/search`

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use crate::api::wire::job::{SEARCHED, found};
use crate::app::App;
use crate::domain::JobState;
use crate::http::query::refused;
use crate::http::stream::{self, Shape};
use crate::http::{ApiError, ApiQuery, ApiResult};
use crate::ops::{Match, Search};

/// Jobs by tag and state.
pub(in crate::api) async fn get(State(app): State<App>, query: ApiQuery) -> ApiResult<Response> {
    let search = search(&query)?;
    let page = move |tx: &_, after, limit| search.page(tx, after, limit);
    stream::list_or_empty(&app, Shape::Array, page, found).await
}

fn search(query: &ApiQuery) -> Result<Search, ApiError> {
    let matching = match query.first("match") {
        None | Some("any") => Match::Any,
        Some("all") => Match::All,
        Some(_) => return Err(refused("match", json!(["Must be one of: any, all."]))),
    };
    let mut states: Vec<String> = query.all("state").map(str::to_owned).collect();
    let message = format!("Must be one of: {}.", SEARCHED.join(", "));
    let wrong: serde_json::Map<_, _> = states
        .iter()
        .enumerate()
        .filter(|(_, state)| !SEARCHED.contains(&state.as_str()))
        .map(|(index, _)| (index.to_string(), json!([message])))
        .collect();
    if !wrong.is_empty() {
        return Err(refused("state", wrong.into()));
    }
    // Agents say "complete", the document says "completed": whoever asks for one means both.
    for (asked, also) in
        [(JobState::COMPLETE, JobState::COMPLETED), (JobState::COMPLETED, JobState::COMPLETE)]
    {
        if states.iter().any(|state| state == asked) && !states.iter().any(|state| state == also) {
            states.push(also.to_owned());
        }
    }
    Ok(Search {
        tags: query.names("tags")?,
        matching,
        active: states.iter().any(|state| state == "active"),
        states,
    })
}
