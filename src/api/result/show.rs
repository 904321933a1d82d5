//! `GET /v1/result/<id>` and `/status`

use axum::extract::State;
use axum::http::HeaderMap;

use super::pieces::Pieces;
use crate::api::wire::result::{OfTry, Shown, Status};
use crate::app::App;
use crate::domain::JobId;
use crate::http::etag::Tag;
use crate::http::{Answer, ApiQuery, ApiResult, JobPath, json};
use crate::ops::{self, By, MemberView, ResultView};
use crate::store::Member;

/// What was posted, the logs, and the state; with `?try=1` of an earlier try.
pub(in crate::api) async fn get(
    State(app): State<App>,
    by: By,
    JobPath(id): JobPath,
    ApiQuery(of): ApiQuery<OfTry>,
    headers: HeaderMap,
) -> ApiResult<Answer<Shown>> {
    let Some(number) = of.number() else {
        let result = app.read(|tx| ops::result(tx, id, &by))?;
        return answer(app, by, (id, id), &headers, result).await;
    };
    match app.read(|tx| ops::tried(tx, id, number))? {
        Some(tried) => answer(app, by, (id, tried.kept), &headers, tried.result).await,
        None => Ok(Answer::nothing()),
    }
}

/// The state and the exit codes of the phases, never a log: what command lines and agents ask for again and again.
pub(in crate::api) async fn status(
    State(app): State<App>,
    by: By,
    JobPath(id): JobPath,
    headers: HeaderMap,
) -> ApiResult<Answer<Status>> {
    let result = app.read(|tx| ops::status(tx, id, &by))?;
    answer(app, by, (id, id), &headers, result).await
}

/// The answer about the job `id` with what is kept under `kept`.
async fn answer<T>(
    app: App,
    by: By,
    (id, kept): (JobId, JobId),
    headers: &HeaderMap,
    result: ResultView,
) -> ApiResult<Answer<T>> {
    if result.acknowledges {
        // The agent's first sign of life about this job; no later look writes.
        app.write(move |tx, _| ops::acknowledge(tx, id, &by)).await?;
    }
    if result.members.is_empty() {
        return Ok(Answer::nothing());
    }
    let tag = Tag::of(&result.fingerprint());
    if let Some(not_modified) = tag.not_modified(headers) {
        return Ok(not_modified.into());
    }
    let masks = app.masks(id).await?;
    Ok(tag.on(pieces(Pieces::new(kept, masks), result).reply(app)).into())
}

/// The members as one JSON object, whose large values are read while it is sent.
fn pieces(mut pieces: Pieces, result: ResultView) -> Pieces {
    for (name, member) in result.members {
        pieces.name(&name);
        match member {
            MemberView::State(state) => pieces.text(&json::text(&state)),
            MemberView::Agent(agent) => pieces.text(&json::text(&agent)),
            MemberView::Posted(Member::Inline(json)) => pieces.value(&json),
            MemberView::Posted(Member::Chunked { count, .. }) => pieces.chunks(&name, count),
            MemberView::Fragments(log, phase, rows) => pieces.fragments(log, phase, rows),
        }
    }
    pieces.text("}\n");
    pieces
}
