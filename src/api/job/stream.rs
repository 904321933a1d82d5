//! `GET /v1/job/<id>/stream`

use axum::extract::State;
use axum::http::HeaderMap;

use crate::api::wire::stream::{From, of_job};
use crate::app::{App, JobWatch};
use crate::http::events::Events;
use crate::http::stream::Broken;
use crate::http::{Answer, ApiError, ApiQuery, ApiResult, Caller, JobPath, events};
use crate::ops::{BadCursor, Cursor};

/// Tells what changes of a job and what is added to its logs, as it happens.
pub(in crate::api) async fn get(
    State(app): State<App>,
    caller: Caller,
    JobPath(id): JobPath,
    headers: HeaderMap,
    ApiQuery(from): ApiQuery<From>,
) -> ApiResult<Answer<Events>> {
    let last = events::last_id(&headers, from.last_event_id.as_deref());
    let bad = |_: BadCursor| ApiError::bad_request("Invalid Last-Event-ID");
    let place = last.map(str::parse::<Cursor>).transpose().map_err(bad)?;
    Ok(match app.watch_job(id, place, caller.address)? {
        Some(watch) => events::reply(app, watch),
        None => Answer::nothing(),
    })
}

impl events::Source for JobWatch {
    async fn next(&mut self) -> Result<Option<String>, Broken> {
        let news = Self::next(self).await.map_err(|_| Broken)?;
        Ok(news.map(|(place, news)| of_job(place, &news)))
    }
}
