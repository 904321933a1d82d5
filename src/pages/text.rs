//! The text of a job's logs, masked: its end, and the whole of it piece by piece.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::shell::Failure;
use crate::app::{App, Masks};
use crate::domain::member::{is_log, log_of};
use crate::domain::{FragmentRow, JobId, Log, LogKind, Phase};
use crate::ops::{self, MemberView, PhaseLog};
use crate::secrets::Masked;
use crate::store::{CHUNK, Member};

/// Bytes of fragments that are read together.
const TOGETHER: usize = 256 << 10;

/// Where the text of a log is.
pub(super) enum Source {
    /// It was posted in fragments.
    Fragments(Vec<FragmentRow>),
    /// It was posted whole: its JSON text.
    Whole(String),
    /// The same in so many chunks.
    Chunks(u64),
}

/// The log of a phase.
pub(super) struct PhaseText {
    pub(super) log: Log,
    pub(super) phase: Phase,
    pub(super) source: Source,
}

/// The logs among the members of a result that is kept under this id, in the order of the phases.
pub(super) fn logs(id: JobId, members: &mut BTreeMap<String, MemberView>) -> Vec<PhaseText> {
    let mut found = Vec::new();
    for phase in Phase::ALL {
        for kind in LogKind::ALL {
            let mut log = Log(id, kind);
            let source = match members.remove(&log_of(phase, kind)) {
                Some(MemberView::Fragments(of, _, rows)) => {
                    log = of;
                    Source::Fragments(rows)
                }
                Some(MemberView::Posted(Member::Inline(json))) => Source::Whole(json),
                Some(MemberView::Posted(Member::Chunked { count, .. })) => Source::Chunks(count),
                Some(MemberView::State(_) | MemberView::Agent(_)) | None => continue,
            };
            found.push(PhaseText { log, phase, source });
        }
    }
    members.retain(|name, _| !is_log(name));
    found
}

impl PhaseText {
    /// About how long it is, bytes.
    pub(super) fn size(&self) -> u64 {
        match &self.source {
            Source::Fragments(rows) => rows.iter().map(|row| row.size as u64).sum(),
            Source::Whole(json) => json.len() as u64,
            Source::Chunks(count) => count * CHUNK,
        }
    }

    /// The last `most` bytes or a little more, and the number of the fragment that comes next if the log may go on.
    pub(super) async fn tail(
        self,
        app: &App,
        masks: Option<&Masks>,
        most: usize,
    ) -> Result<(String, Option<i64>), Failure> {
        let (log, phase) = (self.log, self.phase);
        let reach = masks.map_or(0, |masks| masks.plain.reach());
        let (text, next) = match self.source {
            Source::Fragments(rows) => {
                let rows = hold_back(app, log, phase, rows, masks)?;
                let next = rows.last().map_or(0, |row| row.number.saturating_add(1));
                let (mut begin, mut size) = (rows.len(), 0);
                while begin > 0 && size < most + reach {
                    begin -= 1;
                    size += rows[begin].size;
                }
                let last = rows[begin..].to_vec();
                let text = app.scan(move |tx| ops::fragment_texts(tx, log, phase, &last)).await?;
                (text, Some(next))
            }
            Source::Whole(json) => (serde_json::from_str(&json).unwrap_or_default(), None),
            Source::Chunks(count) => {
                let mut text = String::new();
                let mut unquote = Unquote::within();
                let from = count.saturating_sub(3);
                for n in from..count {
                    let member = log_of(phase, log.1);
                    let chunk =
                        app.scan(move |tx| ops::result_chunk(tx, log.0, &member, n)).await?;
                    let mut chunk = chunk.unwrap_or_default();
                    if n == from && n > 0 {
                        // It may begin in the middle of an escape.
                        let line =
                            chunk.windows(3).position(|it| it[0] != b'\\' && it[1..] == *b"\\n");
                        chunk.drain(..line.map_or(chunk.len(), |at| at + 3));
                    }
                    text.push_str(&unquote.feed(&chunk, n == 0));
                }
                (text, None)
            }
        };
        Ok((masked_end(&text, masks, most), next))
    }

    /// Its pieces, so that no more than one of them is in memory.
    pub(super) fn pieces(self, masks: Option<Masks>) -> Pieces {
        let mut pieces = Vec::new();
        match self.source {
            Source::Whole(json) => {
                pieces.push(Piece::Text(serde_json::from_str(&json).unwrap_or_default()));
            }
            Source::Chunks(count) => pieces.extend((0..count).map(Piece::Chunk)),
            Source::Fragments(rows) => {
                let (mut group, mut size) = (Vec::new(), 0);
                for row in rows {
                    size += row.size;
                    group.push(row);
                    if size >= TOGETHER {
                        pieces.push(Piece::Rows(std::mem::take(&mut group)));
                        size = 0;
                    }
                }
                if pieces.is_empty() || !group.is_empty() {
                    pieces.push(Piece::Rows(group));
                }
            }
        }
        pieces.reverse();
        Pieces {
            log: self.log,
            phase: self.phase,
            rest: pieces,
            unquote: Unquote::within(),
            is_cut: false,
            grows: masks.as_ref().is_some_and(|masks| masks.grows),
            masked: masks.map(|masks| Masked::new(Arc::clone(&masks.plain))),
        }
    }
}

/// The fragments that may be shown of a log.
fn hold_back(
    app: &App,
    log: Log,
    phase: Phase,
    fragments: Vec<FragmentRow>,
    masks: Option<&Masks>,
) -> Result<Vec<FragmentRow>, Failure> {
    let mut phases = [PhaseLog { phase, fragments }];
    if let Some(masks) = masks {
        app.hold_back(log, masks, &mut phases)?;
    }
    let [PhaseLog { fragments, .. }] = phases;
    Ok(fragments)
}

/// The last `most` bytes of a text, from the beginning of a line on if there is one. What stands before them is looked at
/// by the masks, and not shown.
fn masked_end(text: &str, masks: Option<&Masks>, most: usize) -> String {
    let mut at = text.len().saturating_sub(most);
    while !text.is_char_boundary(at) {
        at += 1;
    }
    if at > 0 {
        at += text[at..].find('\n').map_or(0, |line| line + 1);
    }
    let (before, shown) = text.split_at(at);
    let Some(masks) = masks else { return shown.to_owned() };
    let mut masked = Masked::after(Arc::clone(&masks.plain), before.as_bytes());
    let shown = [masked.feed(shown.as_bytes()), masked.end()].concat();
    String::from_utf8_lossy(&shown).into_owned()
}

enum Piece {
    Rows(Vec<FragmentRow>),
    Text(String),
    Chunk(u64),
}

/// The text of a log, piece by piece.
pub(super) struct Pieces {
    log: Log,
    phase: Phase,
    /// The next one last.
    rest: Vec<Piece>,
    unquote: Unquote,
    /// What stands before the next piece was left out.
    is_cut: bool,
    masked: Option<Masked>,
    grows: bool,
}

impl Pieces {
    /// How many parts the text has.
    pub(super) const fn parts(&self) -> usize {
        self.rest.len()
    }

    /// One of the parts, which are about as long as the pieces and consist of whole lines. `None` when there are not so many.
    pub(super) async fn part(mut self, app: &App, number: usize) -> Option<Vec<u8>> {
        let last = self.parts().checked_sub(1).filter(|last| number <= *last)?;
        // The piece before is read, too: a value that is masked may begin in it, or a line, or an escape.
        let before = number.saturating_sub(1);
        self.rest.truncate(self.parts() - before);
        self.is_cut = before > 0;
        if number > 0 {
            self.next(app).await?;
        }
        let mut text = self.next(app).await?;
        if number > 0 {
            text.drain(..first_line(&text));
        }
        while let Some(mut more) = self.next(app).await {
            if number < last {
                more.truncate(first_line(&more));
                text.extend(more);
                break;
            }
            text.extend(more);
        }
        Some(text)
    }

    /// The next piece; `None` at the end. What was removed meanwhile is empty.
    pub(super) async fn next(&mut self, app: &App) -> Option<Vec<u8>> {
        let Some(piece) = self.rest.pop() else {
            let mut masked = self.masked.take()?;
            // What a value may begin with is not shown while the log may go on.
            return Some(if self.grows { Vec::new() } else { masked.end() });
        };
        let (log, phase) = (self.log, self.phase);
        let text = match piece {
            Piece::Text(text) => text,
            Piece::Rows(rows) => {
                let read = app.scan(move |tx| ops::fragment_texts(tx, log, phase, &rows));
                read.await.ok()?
            }
            Piece::Chunk(n) => {
                let member = log_of(phase, log.1);
                let read = app.scan(move |tx| ops::result_chunk(tx, log.0, &member, n));
                let mut chunk = read.await.ok()?.unwrap_or_default();
                if std::mem::take(&mut self.is_cut) {
                    // It may begin in the middle of an escape, but none has a blank in it.
                    let blank = chunk.iter().position(|byte| *byte == b' ');
                    chunk.drain(..blank.unwrap_or_default());
                }
                self.unquote.feed(&chunk, n == 0)
            }
        };
        Some(match &mut self.masked {
            Some(masked) => masked.feed(text.as_bytes()),
            None => text.into_bytes(),
        })
    }
}

/// How long the first line is, or its rest, bytes.
fn first_line(text: &[u8]) -> usize {
    text.iter().position(|byte| *byte == b'\n').map_or(text.len(), |at| at + 1)
}

/// Reads the text of a JSON string that comes in pieces.
struct Unquote {
    /// The beginning of an escape that goes on in the next piece.
    open: Vec<u8>,
}

impl Unquote {
    const fn within() -> Self {
        Self { open: Vec::new() }
    }

    fn feed(&mut self, piece: &[u8], is_first: bool) -> String {
        let piece = if is_first { piece.strip_prefix(b"\"").unwrap_or(piece) } else { piece };
        let mut all = std::mem::take(&mut self.open);
        all.extend_from_slice(piece);
        let end = whole(&all);
        let quoted = [b"\"", &all[..end], b"\""].concat();
        // What follows the closing quote is not text.
        if all.get(end) != Some(&b'"') {
            self.open = all[end..].to_vec();
        }
        serde_json::from_slice(&quoted).unwrap_or_default()
    }
}

/// How much of the inside of a JSON string can be read without what follows.
fn whole(inside: &[u8]) -> usize {
    let mut at = 0;
    while let Some(byte) = inside.get(at) {
        let length = match (byte, inside.get(at + 1)) {
            (b'"', _) => return at,
            (b'\\', Some(b'u')) => match inside.get(at + 2) {
                // Half of a surrogate pair is followed by the other half.
                Some(b'd' | b'D') if inside.get(at + 3).is_some_and(|b| b"89abAB".contains(b)) => {
                    12
                }
                _ => 6,
            },
            (b'\\', _) => 2,
            // Stored JSON is ASCII.
            _ => 1,
        };
        if at + length > inside.len() {
            return at;
        }
        at += length;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_string_reads_the_same_however_it_is_cut() {
        let text = "a\"b\\c\n\u{e9}\u{1f600} \u{1b}[0m end";
        let json = crate::http::json::text(&text);
        for cut in 0..=json.len() {
            let mut unquote = Unquote::within();
            let (a, b) = json.as_bytes().split_at(cut);
            let read = unquote.feed(a, true) + &unquote.feed(b, cut == 0);
            assert_eq!(read, text, "cut at {cut}");
        }
    }

    #[test]
    fn the_end_of_a_text_begins_with_a_line() {
        assert_eq!(masked_end("one\ntwo\nthree\n", None, 8), "three\n");
        assert_eq!(masked_end("one\n", None, 100), "one\n");
        assert_eq!(masked_end("\u{e9}\u{e9}\u{e9}", None, 3), "\u{e9}");
    }
}
