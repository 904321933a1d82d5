//! Answers that are put together while they are sent: text that is there, and stored pieces that are read when it is
//! their turn.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream::try_unfold;

use crate::app::{App, Masks};
use crate::domain::{FragmentRow, JobId, Log, Phase};
use crate::http::compression::About;
use crate::http::stream::Broken;
use crate::http::{json, reply};
use crate::ops;
use crate::secrets::{Masked, MaskedJson};
use crate::store::CHUNK;

/// Bytes of fragments that are read together.
const TOGETHER: usize = 256 * 1024;

/// A piece of an answer.
pub(super) enum Piece {
    Text(String),
    /// The chunk of a member with this number.
    Chunk(String, u64),
    /// What stands before the next log, in which a value that is masked may begin.
    Before(Vec<u8>),
    /// Fragments, as the inside of a JSON string.
    Fragments(Log, Phase, Vec<FragmentRow>),
}

/// The pieces of an answer, in order.
pub(super) struct Pieces {
    job: JobId,
    masks: Option<Masks>,
    done: Vec<Piece>,
    text: String,
    before: Vec<u8>,
    size: u64,
}

impl Pieces {
    /// An answer about a job in which these values are masked.
    pub(super) const fn new(job: JobId, masks: Option<Masks>) -> Self {
        Self { job, masks, done: Vec::new(), text: String::new(), before: Vec::new(), size: 0 }
    }

    /// Adds text.
    pub(super) fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds the name of a member, with the comma or bracket before it.
    pub(super) fn name(&mut self, name: &str) {
        let first = self.text.is_empty() && self.done.is_empty();
        self.text.push(if first { '{' } else { ',' });
        self.text.push_str(&json::text(&name));
        self.text.push(':');
    }

    /// Adds the value of a member, which is JSON text.
    pub(super) fn value(&mut self, text: &str) {
        let Some(masks) = &self.masks else {
            return self.text(text);
        };
        let mut masked = MaskedJson::new(Arc::clone(&masks.json));
        let shown = [masked.feed(text.as_bytes()), masked.end()].concat();
        self.text.push_str(&String::from_utf8_lossy(&shown));
    }

    /// Adds the chunks of a large member.
    pub(super) fn chunks(&mut self, member: &str, count: u64) {
        self.flush();
        self.size += count * CHUNK;
        self.done.extend((0..count).map(|n| Piece::Chunk(member.to_owned(), n)));
    }

    /// The fragments that come next go on after this text, which is not shown.
    pub(super) fn after(&mut self, before: &[u8]) {
        self.before = before.to_vec();
    }

    /// Adds fragments as one JSON string.
    pub(super) fn fragments(&mut self, log: Log, phase: Phase, rows: Vec<FragmentRow>) {
        self.text.push('"');
        self.flush();
        if !self.before.is_empty() {
            self.done.push(Piece::Before(std::mem::take(&mut self.before)));
        }
        let (mut group, mut size) = (Vec::new(), 0);
        for row in rows {
            size += row.size;
            self.size += row.size as u64;
            group.push(row);
            if size >= TOGETHER {
                self.done.push(Piece::Fragments(log, phase, std::mem::take(&mut group)));
                size = 0;
            }
        }
        self.done.push(Piece::Fragments(log, phase, group));
        self.text.push('"');
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.done.push(Piece::Text(std::mem::take(&mut self.text)));
        }
    }

    /// The answer.
    pub(super) fn reply(mut self, app: App) -> Response {
        if self.done.is_empty() {
            return reply::json_stream(Body::from(self.text));
        }
        self.flush();
        let reader = Reader { app, job: self.job, masks: self.masks, json: None, log: None };
        let state = (self.done.into_iter(), reader);
        let body = Body::from_stream(try_unfold(state, async |(mut pieces, mut reader)| {
            let Some(piece) = pieces.next() else {
                return Ok::<_, Broken>(None);
            };
            reader.app.budget().room().await;
            let bytes = reader.shown(piece).await.ok_or(Broken)?;
            Ok(Some((reader.app.budget().track(bytes), (pieces, reader))))
        }));
        let mut response = reply::json_stream(body);
        response.extensions_mut().insert(About(self.size));
        response
    }
}

/// Reads pieces when it is their turn, and masks them.
struct Reader {
    app: App,
    job: JobId,
    masks: Option<Masks>,
    /// The large member under way.
    json: Option<MaskedJson>,
    /// The log under way.
    log: Option<Masked>,
}

impl Reader {
    /// What is shown of the next piece.
    async fn shown(&mut self, piece: Piece) -> Option<Bytes> {
        let is_text = matches!(piece, Piece::Text(_));
        let Some(masks) = &self.masks else {
            return read(&self.app, self.job, piece).await.map(|read| match read {
                Read::Json(bytes) => Bytes::from(bytes),
                Read::Before(_) => Bytes::new(),
                Read::Log(text) => Bytes::from(inside(&text)),
            });
        };
        match read(&self.app, self.job, piece).await? {
            Read::Json(text) if is_text => {
                let mut out = self.json.take().map(|mut json| json.end()).unwrap_or_default();
                if let Some(mut log) = self.log.take()
                    && !masks.grows
                {
                    out.extend(inside(&String::from_utf8_lossy(&log.end())).into_bytes());
                }
                out.extend(text);
                Some(Bytes::from(out))
            }
            Read::Json(bytes) => {
                let new = || MaskedJson::new(Arc::clone(&masks.json));
                Some(Bytes::from(self.json.get_or_insert_with(new).feed(&bytes)))
            }
            Read::Before(text) => {
                self.log = Some(Masked::after(Arc::clone(&masks.plain), &text));
                Some(Bytes::new())
            }
            Read::Log(text) => {
                let new = || Masked::new(Arc::clone(&masks.plain));
                let shown = self.log.get_or_insert_with(new).feed(text.as_bytes());
                Some(Bytes::from(inside(&String::from_utf8_lossy(&shown))))
            }
        }
    }
}

/// The inside of the JSON string of a text.
fn inside(text: &str) -> String {
    let text = json::text(&text);
    text[1..text.len() - 1].to_owned()
}

/// A piece as it is stored.
enum Read {
    Json(Vec<u8>),
    Before(Vec<u8>),
    Log(String),
}

async fn read(app: &App, job: JobId, piece: Piece) -> Option<Read> {
    match piece {
        Piece::Text(text) => Some(Read::Json(text.into_bytes())),
        Piece::Chunk(member, n) => {
            // Gone when the result was posted anew meanwhile.
            let chunk = app.scan(move |tx| ops::result_chunk(tx, job, &member, n)).await;
            chunk.ok().flatten().map(Read::Json)
        }
        Piece::Before(text) => Some(Read::Before(text)),
        Piece::Fragments(log, phase, rows) => {
            let read = app.scan(move |tx| ops::fragment_texts(tx, log, phase, &rows));
            read.await.ok().map(Read::Log)
        }
    }
}
