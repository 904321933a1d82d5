//! `/v1/result/<id>/log/<output|serial>`: fragments, read from a number on as often as one likes.

use axum::extract::{FromRequestParts, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::Response;

use super::pieces::Pieces;
use crate::api::wire::log::{Shown, Wanted};
use crate::app::App;
use crate::domain::{Fragment, JobId, Log, LogKind};
use crate::http::describe::{Operation, Takes, job_id};
use crate::http::shape::kind::one_of;
use crate::http::{Answer, ApiError, ApiJson, ApiQuery, ApiResult, TextPaths, reply};
use crate::ops::{self, By};
use crate::store::ReadTx;

/// The log in a path. What is said of a bad id depends on the method, as it always has.
pub(in crate::api) struct LogPath(Log);

impl<S: Sync> FromRequestParts<S> for LogPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let TextPaths([id, kind]) = TextPaths::from_request_parts(parts, state).await?;
        let kind = LogKind::parse(&kind).ok_or_else(ApiError::no_route)?;
        let writes = parts.method == Method::POST;
        let bad = if writes { "Invalid job_id specified" } else { "Invalid job id\n" };
        let id = JobId::from_path(&id).ok_or_else(|| ApiError::bad_request(bad))?;
        Ok(Self(Log(id, kind)))
    }
}

impl Takes for LogPath {
    fn describe(operation: &mut Operation) {
        operation.parameter(job_id(), 400);
        operation.parameter(one_of(&["output", "serial"]).schema(), 404);
    }
}

/// The fragments of each phase put together, and the number of the last one: the cursor of whoever reads on.
pub(in crate::api) async fn get(
    State(app): State<App>,
    LogPath(log): LogPath,
    ApiQuery(wanted): ApiQuery<Wanted>,
) -> ApiResult<Answer<Shown>> {
    let mut masks = app.masks(log.0).await?;
    let (from, mut befores) = (wanted.from, Vec::new());
    let read = move |tx: &ReadTx| {
        let all = || Ok(i64::MIN..i64::MAX);
        let of = wanted.of_try.map_or_else(all, |number| ops::log_of_try(tx, log, number))?;
        let from = wanted.from.max(of.start);
        let mut phases = ops::log(tx, log, &wanted.phases, from, wanted.since)?;
        for part in &mut phases {
            part.fragments.retain(|row| row.number < of.end);
        }
        Ok::<_, ops::Error>(phases)
    };
    let mut phases = app.scan(read).await?;
    if let Some(masks) = &mut masks {
        app.hold_back(log, masks, &mut phases)?;
        // What is left now ends where a value cannot go on.
        masks.grows = false;
        for part in &phases {
            befores.push(app.text_before(log, part.phase, from, masks)?);
        }
    }
    let mut pieces = Pieces::new(log.0, masks);
    pieces.name(log.1.as_str());
    for (index, ops::PhaseLog { phase, fragments }) in phases.into_iter().enumerate() {
        let last = fragments.last().map_or(-1, |row| row.number);
        let opening = if index == 0 { '{' } else { ',' };
        pieces.text(&format!(
            "{opening}\"{}\":{{\"last_fragment_number\":{last},\"log_data\":",
            phase.as_str()
        ));
        if let Some(before) = befores.get(index) {
            pieces.after(before);
        }
        pieces.fragments(log, phase, fragments);
        pieces.text("}");
    }
    pieces.text("}}\n");
    Ok(pieces.reply(app).into())
}

/// Takes a fragment; the same one again changes nothing.
pub(in crate::api) async fn post(
    State(app): State<App>,
    by: By,
    LogPath(log): LogPath,
    ApiJson(fragment): ApiJson<Fragment>,
) -> ApiResult<Response> {
    let size = fragment.text.len();
    app.write(move |tx, now| ops::append_fragment(tx, now, log, &fragment, &by)).await?;
    app.metrics().logged(log.1.as_str(), size);
    Ok(reply::ok())
}
