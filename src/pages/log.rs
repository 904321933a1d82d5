//! `/jobs/<id>/log/<output|serial>/<phase>`: the whole log as text or to scroll in, a part of it, or the lines with a text.

use askama::Template;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures_util::stream::try_unfold;

use super::Pages;
use super::filter::Query;
use super::shell::{Failure, Shell, Shown, html};
use super::show;
use super::text::{Pieces, logs};
use super::visitor::Visitor;
use crate::app::App;
use crate::domain::{JobId, LogKind, Phase};
use crate::http::TextPaths;
use crate::http::compression::About;
use crate::http::stream::Broken;
use crate::ops;
use crate::store::ReadTx;

/// Lines that are shown of a search.
const LINES: usize = 500;
/// Of a longer line only the beginning is looked at, bytes.
const LONGEST: usize = 4000;

#[derive(Template)]
#[template(path = "found.html")]
struct Page {
    shell: Shell,
    log: Which,
    find: String,
    lines: Vec<Found>,
    cut: bool,
}

/// The whole log, for people who scroll.
#[derive(Template)]
#[template(path = "log.html")]
struct Whole {
    shell: Shell,
    log: Which,
    size: String,
    /// The addresses of its parts.
    parts: Vec<String>,
}

/// One of the logs of a job.
pub(super) struct Which {
    pub(super) id: JobId,
    pub(super) kind: LogKind,
    pub(super) phase: Phase,
    /// An earlier try of the job; empty for the last one.
    pub(super) of_try: String,
}

impl Which {
    /// Its address, with something that is asked for of it.
    pub(super) fn path(&self, what: &str, value: &str) -> String {
        let Self { id, kind, phase, of_try } = self;
        let path = format!("/jobs/{id}/log/{}/{}", kind.as_str(), phase.as_str());
        Query::path(&path, &[("try", of_try), (what, value)])
    }

    fn title(&self) -> String {
        let phase = self.phase.as_str().replace('_', " ");
        let serial = if self.kind == LogKind::Serial { " (serial)" } else { "" };
        let of_try = if self.of_try.is_empty() { "" } else { ", try " };
        format!("{phase}{serial}{of_try}{}", self.of_try)
    }
}

/// A line in which the text is.
struct Found {
    number: usize,
    /// The part of the whole log that has it.
    part: usize,
    before: String,
    text: String,
    after: String,
}

/// The log, or what is asked for of it.
pub(super) async fn get(
    State(Pages { app, .. }): State<Pages>,
    visitor: Visitor,
    TextPaths([id, kind, phase]): TextPaths<3>,
    query: Query,
) -> Shown {
    let unknown = || Failure::unknown("There is no such log.");
    let id = JobId::from_path(&id).ok_or_else(unknown)?;
    let (kind, phase) = LogKind::parse(&kind).zip(Phase::parse(&phase)).ok_or_else(unknown)?;
    let by = visitor.caller.by.clone();
    let of_try: Option<u32> = query.get("try").parse().ok();
    let read = move |tx: &ReadTx| match of_try {
        None => ops::result(tx, id, &by).map(|result| (id, result)),
        Some(number) => {
            let tried = ops::tried(tx, id, number)?.ok_or(ops::Error::NoJob)?;
            Ok((tried.kept, tried.result))
        }
    };
    let (kept, mut result) = app.read_large(read).await?;
    let text = logs(kept, &mut result.members)
        .into_iter()
        .find(|it| it.log.1 == kind && it.phase == phase);
    let text = text.ok_or_else(unknown)?;
    let (size, masks) = (text.size(), app.masks(id).await?);
    let pieces = text.pieces(masks);
    if let Ok(number) = query.get("part").parse() {
        let part = pieces.part(&app, number).await.ok_or_else(unknown)?;
        return Ok(plain(Body::from(part)));
    }
    let of_try = of_try.map(|number| number.to_string()).unwrap_or_default();
    let log = Which { id, kind, phase, of_try };
    if !query.get("view").is_empty() {
        return Ok(html(&Whole {
            shell: Shell::of(&visitor, format!("Log of {}", log.title()), "/jobs"),
            size: show::size(size),
            parts: (0..pieces.parts()).map(|part| log.path("part", &part.to_string())).collect(),
            log,
        }));
    }
    let find = query.get("find");
    if !find.is_empty() {
        let (lines, cut) = search(&app, pieces, &find.to_lowercase()).await;
        return Ok(html(&Page {
            shell: Shell::of(&visitor, format!("{find} in {}", log.title()), "/jobs"),
            log,
            find: find.to_owned(),
            lines,
            cut,
        }));
    }
    let mut response = plain(stream(app, pieces));
    response.extensions_mut().insert(About(size));
    if !query.get("download").is_empty() {
        let of_try = if log.of_try.is_empty() { "" } else { "-try-" };
        let name = format!(
            "attachment; filename=\"{id}{of_try}{}-{}-{}.txt\"",
            log.of_try,
            phase.as_str(),
            kind.as_str()
        );
        if let Ok(name) = HeaderValue::from_str(&name) {
            response.headers_mut().insert(CONTENT_DISPOSITION, name);
        }
    }
    Ok(response)
}

fn plain(body: Body) -> Response {
    let mut response = Response::new(body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

fn stream(app: App, pieces: Pieces) -> Body {
    Body::from_stream(try_unfold((app, pieces), async |(app, mut pieces)| {
        app.budget().room().await;
        Ok::<_, Broken>(pieces.next(&app).await.map(|bytes| {
            let bytes = app.budget().track(Bytes::from(bytes));
            (bytes, (app, pieces))
        }))
    }))
}

/// The lines that have a text, in lower case, and whether there may be more of them.
async fn search(app: &App, mut pieces: Pieces, needle: &str) -> (Vec<Found>, bool) {
    let (mut lines, mut number, mut open) = (Vec::new(), 0, Vec::new());
    let (mut part, mut next) = (0, 0);
    while let Some(bytes) = pieces.next(app).await {
        if open.is_empty() {
            part = next;
        }
        next += 1;
        open.extend(bytes);
        let end = open.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let rest = open.split_off(end);
        for line in open.split_inclusive(|byte| *byte == b'\n') {
            number += 1;
            lines.extend(found(line, (number, part), needle));
            // Only the first line may have begun in the part before.
            part = next - 1;
            if lines.len() == LINES {
                return (lines, true);
            }
        }
        open = rest;
    }
    lines.extend(found(&open, (number + 1, part), needle));
    (lines, false)
}

fn found(line: &[u8], (number, part): (usize, usize), needle: &str) -> Option<Found> {
    let line = String::from_utf8_lossy(&line[..line.len().min(LONGEST)]);
    let line = line.trim_end_matches(['\n', '\r', char::REPLACEMENT_CHARACTER]);
    let lower = line.to_lowercase();
    let at = lower.find(needle)?;
    // Some letters change their length in lower case; then the whole line is marked.
    let split = (lower.len() == line.len()).then(|| {
        let (before, rest) = line.split_at_checked(at)?;
        let (found, after) = rest.split_at_checked(needle.len())?;
        Some((before, found, after))
    });
    let (before, found, after) = split.flatten().unwrap_or(("", line, ""));
    let [before, found, after] = [before, found, after].map(ToOwned::to_owned);
    Some(Found { number, part, before, text: found, after })
}
