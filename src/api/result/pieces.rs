//! Answers that are put together while they are sent: text that is there, and stored pieces that are read when it is
//! their turn.

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream::try_unfold;

use crate::app::App;
use crate::domain::{JobId, Phase};
use crate::http::compression::About;
use crate::http::stream::Broken;
use crate::http::{json, reply};
use crate::ops;
use crate::store::{CHUNK, FragmentRow, Log};

/// Bytes of fragments that are read together.
const TOGETHER: usize = 256 * 1024;

/// A piece of an answer.
pub(super) enum Piece {
    Text(String),
    /// The chunk of a member with this number.
    Chunk(String, u64),
    /// Fragments, as the inside of a JSON string.
    Fragments(Log, Phase, Vec<FragmentRow>),
}

/// The pieces of an answer, in order.
pub(super) struct Pieces {
    job: JobId,
    done: Vec<Piece>,
    text: String,
    size: u64,
}

impl Pieces {
    pub(super) const fn new(job: JobId) -> Self {
        Self { job, done: Vec::new(), text: String::new(), size: 0 }
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

    /// Adds the chunks of a large member.
    pub(super) fn chunks(&mut self, member: &str, count: u64) {
        self.flush();
        self.size += count * CHUNK;
        self.done.extend((0..count).map(|n| Piece::Chunk(member.to_owned(), n)));
    }

    /// Adds fragments as one JSON string.
    pub(super) fn fragments(&mut self, log: Log, phase: Phase, rows: Vec<FragmentRow>) {
        self.text.push('"');
        self.flush();
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
        let (job, size) = (self.job, self.size);
        let body = Body::from_stream(try_unfold(self.done.into_iter(), move |mut pieces| {
            let app = app.clone();
            async move {
                let Some(piece) = pieces.next() else {
                    return Ok::<_, Broken>(None);
                };
                app.budget().room().await;
                let bytes = read(&app, job, piece).await.ok_or(Broken)?;
                Ok(Some((app.budget().track(bytes), pieces)))
            }
        }));
        let mut response = reply::json_stream(body);
        response.extensions_mut().insert(About(size));
        response
    }
}

async fn read(app: &App, job: JobId, piece: Piece) -> Option<Bytes> {
    match piece {
        Piece::Text(text) => Some(Bytes::from(text)),
        Piece::Chunk(member, n) => {
            // Gone when the result was posted anew meanwhile.
            let chunk = app.scan(move |tx| ops::result_chunk(tx, job, &member, n)).await;
            chunk.ok().flatten().map(Bytes::from)
        }
        Piece::Fragments(log, phase, rows) => {
            let read = app.scan(move |tx| {
                let text = json::text(&ops::fragment_texts(tx, log, phase, &rows)?);
                Ok::<_, ops::Error>(text[1..text.len() - 1].to_owned())
            });
            read.await.ok().map(Bytes::from)
        }
    }
}
