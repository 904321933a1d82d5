//! `/v1/result/<id>/output` and `/serial_output`: text that is read once, by the older generation of clients.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures_util::stream::try_unfold;

use crate::app::App;
use crate::domain::{Log, LogKind};
use crate::http::body::{self, TextRequest};
use crate::http::compression::About;
use crate::http::path::JobTextPath;
use crate::http::stream::Broken;
use crate::http::{Answer, ApiResult, JobPath, Plain, reply};
use crate::ops::{self, By};
use crate::secrets::{Masked, Masker};

/// Takes text of any content type; bytes that are not UTF-8 are replaced.
async fn append(
    app: App,
    by: By,
    JobPath(id): JobPath,
    kind: LogKind,
    TextRequest(request): TextRequest,
) -> ApiResult<Response> {
    let (parts, content) = request.into_parts();
    let bytes = body::read(&app, &parts, content, app.limits().result).await?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    app.write_large(move |tx, now| ops::append_text(tx, now, (id, kind), &text, &by)).await?;
    app.metrics().logged(kind.as_str(), bytes.len());
    Ok(reply::ok())
}

/// Sends what nobody has read yet, lines between the pieces, and forgets it once it is sent: a reader that goes away in
/// the middle loses nothing.
async fn drain(app: App, JobTextPath(id): JobTextPath, kind: LogKind) -> ApiResult<Answer<Plain>> {
    let log = Log(id, kind);
    let masks = app.masks(id).await?;
    let mut pieces = app.scan(move |tx| ops::unread(tx, log)).await?;
    if let Some(masks) = masks.as_ref().filter(|masks| masks.grows) {
        hold_back(&app, log, &masks.plain, &mut pieces)?;
    }
    let Some(&(last, _)) = pieces.last() else {
        return Ok(Answer::nothing());
    };
    let size: usize = pieces.iter().map(|(_, size)| size + 1).sum();
    let masked = masks.map(|masks| Masked::new(masks.plain));
    let state = (pieces.into_iter().enumerate(), masked, false);
    let stream = try_unfold(state, move |(mut pieces, mut masked, done)| {
        let app = app.clone();
        async move {
            if let Some((index, (number, _))) = pieces.next() {
                app.budget().room().await;
                let piece = app.scan(move |tx| ops::unread_piece(tx, log, number)).await;
                let piece = piece.map_err(|_| Broken)?.unwrap_or_default();
                let text = match &mut masked {
                    Some(masked) if index == 0 => masked.feed(&piece),
                    Some(masked) => masked.feed_line(&piece),
                    None if index == 0 => piece,
                    None => [&b"\n"[..], &piece].concat(),
                };
                return Ok::<_, Broken>(Some((app.budget().track(text), (pieces, masked, false))));
            }
            if !done {
                // Before the end is sent, so that whoever has seen the end does not get the text again.
                let forget = app.write(move |tx, _| ops::forget_read(tx, log, last));
                forget.await.map_err(|_| Broken)?;
                let rest = masked.as_mut().map(Masked::end).unwrap_or_default();
                return Ok(Some((Bytes::from(rest), (pieces, masked, true))));
            }
            Ok(None)
        }
    });
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    let mut response = ([(CONTENT_TYPE, kind)], Body::from_stream(stream)).into_response();
    response.extensions_mut().insert(About(size as u64));
    Ok(response.into())
}

/// Leaves out the pieces at the end in which the value of a secret may begin: they are sent with the next piece.
fn hold_back(
    app: &App,
    log: Log,
    masker: &Masker,
    pieces: &mut Vec<(u64, usize)>,
) -> ApiResult<()> {
    let (mut tail, mut begin) = (Vec::new(), pieces.len());
    while begin > 0 && tail.len() < masker.reach() {
        begin -= 1;
        let number = pieces[begin].0;
        let piece = app.read(|tx| ops::unread_piece(tx, log, number))?.unwrap_or_default();
        tail = [piece, tail].concat();
    }
    let mut open = masker.open_end(&tail);
    while open > 0
        && let Some((_, size)) = pieces.pop()
    {
        open = open.saturating_sub(size);
    }
    Ok(())
}

/// What `GET` would answer, without forgetting anything.
fn look(app: &App, JobTextPath(id): JobTextPath, kind: LogKind) -> ApiResult<Response> {
    let pieces = app.read(|tx| ops::unread(tx, Log(id, kind)))?;
    let status = if pieces.is_empty() { StatusCode::NO_CONTENT } else { StatusCode::OK };
    Ok(status.into_response())
}

macro_rules! verbs {
    ($name:ident, $kind:expr) => {
        /// The handlers of one of the two logs.
        pub(in crate::api) mod $name {
            use super::*;

            pub(in crate::api) async fn get(
                State(app): State<App>,
                id: JobTextPath,
            ) -> ApiResult<Answer<Plain>> {
                drain(app, id, $kind).await
            }

            pub(in crate::api) async fn head(
                State(app): State<App>,
                id: JobTextPath,
            ) -> ApiResult<Response> {
                look(&app, id, $kind)
            }

            pub(in crate::api) async fn post(
                State(app): State<App>,
                by: By,
                id: JobPath,
                request: TextRequest,
            ) -> ApiResult<Response> {
                append(app, by, id, $kind, request).await
            }
        }
    };
}

verbs!(output, LogKind::Output);
verbs!(serial, LogKind::Serial);
