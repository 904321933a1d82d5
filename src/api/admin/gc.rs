//! `/admin/gc`: what retention would remove now, and doing it now.

use axum::extract::State;

use crate::api::wire::gc::{Done, Going, shown};
use crate::app::App;
use crate::http::{Answer, ApiError, ApiResult, ListOf, stream};
use crate::ops;

/// Lists what would go now, and why.
pub(in crate::api) async fn list(State(app): State<App>) -> ApiResult<Answer<ListOf<Going>>> {
    let now = app.now();
    if let Some(last) = app.read(|tx| ops::held_since(tx, now))? {
        return Err(held(last));
    }
    let (ages, needed) = (app.retention().ages, app.missing_room());
    let page = move |tx: &_, after, limit| ops::going(tx, now, (&ages, needed), after, limit);
    stream::list_or_empty(&app, page, shown).await
}

/// Removes it.
pub(in crate::api) async fn post(State(app): State<App>) -> ApiResult<Answer<Done>> {
    let collected = app.collect().await?;
    match collected.held {
        Some(last) => Err(held(last)),
        None => Ok(Answer::of(&Done::from(&collected))),
    }
}

fn held(last: crate::domain::Timestamp) -> ApiError {
    ApiError::bad_request(format!(
        "The clock jumped ahead after the last sweep at {last}, so nothing is removed: set it right, or confirm it with: \
         testflinger-server confirm-clock"
    ))
}
