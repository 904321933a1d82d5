//! `/admin/notices`: what is still to be sent, and what was given up.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::api::wire::notice::{Shown, shown};
use crate::app::App;
use crate::http::{Answer, ApiError, ApiResult, ListOf, TextPath, reply, stream};
use crate::ops;

/// Lists all, those that were given up first.
pub(in crate::api) async fn list(State(app): State<App>) -> ApiResult<Answer<ListOf<Shown>>> {
    stream::list_or_empty(&app, ops::notices, shown).await
}

/// Sends one again that was given up.
pub(in crate::api) async fn retry(
    State(app): State<App>,
    TextPath(number): TextPath,
) -> ApiResult<Response> {
    let Ok(number) = number.parse() else { return Err(unknown()) };
    let found = app.write(move |tx, now| ops::retry_notice(tx, now, number)).await?;
    app.new_notices();
    if found { Ok(reply::ok()) } else { Err(unknown()) }
}

/// Forgets one.
pub(in crate::api) async fn drop(
    State(app): State<App>,
    TextPath(number): TextPath,
) -> ApiResult<Response> {
    let Ok(number) = number.parse() else { return Err(unknown()) };
    let found = app.write(move |tx, _| ops::drop_notice(tx, number)).await?;
    if found { Ok(reply::ok()) } else { Err(unknown()) }
}

fn unknown() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "There is no such notice")
}
