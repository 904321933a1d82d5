//! `/v1/result/<id>/log/<output|serial>`: fragments, read from a number on as often as one likes.

use axum::extract::State;
use axum::response::Response;

use super::pieces::Pieces;
use crate::api::wire::log::{fragment, wanted};
use crate::app::App;
use crate::domain::{JobId, LogKind};
use crate::http::{ApiError, ApiJson, ApiQuery, ApiResult, TextPaths, reply};
use crate::ops::{self, By};
use crate::store::Log;

fn log(id: &str, kind: &str, bad: &str) -> Result<Log, ApiError> {
    let kind = LogKind::parse(kind).ok_or_else(ApiError::no_route)?;
    let id = JobId::from_path(id).ok_or_else(|| ApiError::bad_request(bad))?;
    Ok(Log(id, kind))
}

/// The fragments of each phase put together, and the number of the last one: the cursor of whoever reads on.
pub(in crate::api) async fn get(
    State(app): State<App>,
    TextPaths([id, kind]): TextPaths<2>,
    query: ApiQuery,
) -> ApiResult<Response> {
    let log = log(&id, &kind, "Invalid job id\n")?;
    let wanted = wanted(&query)?;
    let phases =
        app.scan(move |tx| ops::log(tx, log, &wanted.phases, wanted.from, wanted.since)).await?;
    let mut pieces = Pieces::new(log.0);
    pieces.name(log.1.as_str());
    for (index, ops::PhaseLog { phase, fragments }) in phases.into_iter().enumerate() {
        let last = fragments.last().map_or(-1, |row| row.number);
        let opening = if index == 0 { '{' } else { ',' };
        pieces.text(&format!(
            "{opening}\"{}\":{{\"last_fragment_number\":{last},\"log_data\":",
            phase.as_str()
        ));
        pieces.fragments(log, phase, fragments);
        pieces.text("}");
    }
    pieces.text("}}\n");
    Ok(pieces.reply(app))
}

/// Takes a fragment; the same one again changes nothing.
pub(in crate::api) async fn post(
    State(app): State<App>,
    by: By,
    TextPaths([id, kind]): TextPaths<2>,
    ApiJson(body): ApiJson,
) -> ApiResult<Response> {
    let log = log(&id, &kind, "Invalid job_id specified")?;
    let fragment = fragment(body)?;
    app.write(move |tx, now| ops::append_fragment(tx, now, log, &fragment, &by)).await?;
    Ok(reply::ok())
}
