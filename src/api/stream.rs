//! `GET /v1/stream`

use axum::extract::State;
use axum::http::HeaderMap;

use crate::api::wire::stream::{From, of_lab};
use crate::app::{App, LabWatch};
use crate::http::events::Events;
use crate::http::stream::Broken;
use crate::http::{Answer, ApiError, ApiQuery, ApiResult, Caller, events};

/// Tells what changes in the lab, as it happens: all jobs and all agents.
pub(in crate::api) async fn get(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    ApiQuery(from): ApiQuery<From>,
) -> ApiResult<Answer<Events>> {
    let last = events::last_id(&headers, from.last_event_id.as_deref()).map(str::parse::<u64>);
    let bad = |_| ApiError::bad_request("Invalid Last-Event-ID");
    let watch = app.watch_lab(last.transpose().map_err(bad)?, caller.address)?;
    Ok(events::reply(app, watch))
}

impl events::Source for LabWatch {
    async fn next(&mut self) -> Result<Option<String>, Broken> {
        Ok(Self::next(self).await.map(|news| of_lab(&news)))
    }
}
