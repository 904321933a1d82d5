//! Somebody watches a job.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::Notify;

use super::{App, Error, Masks, Result, Share};
use crate::domain::{Event, JobId, JobState, Log, LogKind, Phase};
use crate::ops::{self, Cursor, Followed, Piece};
use crate::secrets::Masked;

/// What a watcher of a job is told.
#[derive(Debug)]
pub enum JobNews {
    /// The job was submitted again: what was told of its logs is gone.
    Anew(u32),
    /// It changed.
    Changed(Event),
    /// A log has grown by this text, in which secrets are masked.
    Text(LogKind, Phase, String),
    /// It has ended, and everything was told.
    Ended(JobState),
}

/// Somebody watches a job.
pub struct JobWatch {
    app: App,
    id: JobId,
    bell: Arc<Notify>,
    /// What was read.
    read: Cursor,
    /// What was told: from here on a watcher goes on that comes back.
    told: Cursor,
    texts: [Text; 2],
    is_over: bool,
    _place: Share,
}

/// The text of a log on its way to the watcher.
#[derive(Default)]
struct Text {
    phase: Option<Phase>,
    masked: Option<Masked>,
    /// The fragments of which something is held back, because the value of a secret may begin there: number and bytes.
    held: VecDeque<(i64, usize)>,
}

impl App {
    /// Watches a job, from its beginning or from a place on, for somebody at this address. `None` when nothing will ever be told: the job has ended
    /// and was told to its end.
    ///
    /// # Errors
    /// [`Error::TooManyWatchers`], [`ops::Error::NoJob`].
    pub fn watch_job(
        &self,
        id: JobId,
        from: Option<Cursor>,
        address: Option<IpAddr>,
    ) -> Result<Option<JobWatch>> {
        let place = self.publisher().place(address)?;
        let read = from.unwrap_or_default();
        let found = self.read(|tx| ops::follow(tx, id, read))?;
        if from.is_some() && found.is_empty() && found.job.state.is_finished() {
            return Ok(None);
        }
        Ok(Some(JobWatch {
            app: self.clone(),
            id,
            bell: self.publisher().jobs().bell(&id),
            read,
            told: read,
            texts: Default::default(),
            is_over: false,
            _place: place,
        }))
    }
}

impl Drop for JobWatch {
    fn drop(&mut self) {
        self.app.publisher().jobs().forget(&self.id);
    }
}

impl JobWatch {
    /// Waits for what comes next, and gives the place after it; `None` at the end of the job, or when the server stops.
    ///
    /// # Errors
    /// What the store says.
    pub async fn next(&mut self) -> Result<Option<(Cursor, Vec<JobNews>)>> {
        let bell = Arc::clone(&self.bell);
        while !self.is_over {
            let heard = bell.notified();
            tokio::pin!(heard);
            heard.as_mut().enable();
            let news = self.look().await?;
            if !news.is_empty() {
                return Ok(Some((self.told, news)));
            }
            tokio::select! {
                () = heard => {}
                () = self.app.stopping().cancelled() => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Reads what was added.
    async fn look(&mut self) -> Result<Vec<JobNews>> {
        self.app.budget().room().await;
        let (id, from) = (self.id, self.read);
        let found = match self.app.read(|tx| ops::follow(tx, id, from)) {
            // Retention has removed it.
            Err(Error::Ops(ops::Error::NoJob)) => {
                self.is_over = true;
                return Ok(Vec::new());
            }
            found => found?,
        };
        let masks = if found.pieces.is_empty() { None } else { self.app.masks(id).await? };
        self.news(found, masks.as_ref())
    }

    fn news(&mut self, found: Followed, masks: Option<&Masks>) -> Result<Vec<JobNews>> {
        let ends = found.is_empty() && found.job.state.is_finished();
        let Followed { job, anew, changes, pieces } = found;
        let mut news = Vec::new();
        if anew {
            self.texts = Default::default();
            self.read = Cursor { change: self.read.change, ..Cursor::default() };
            news.push(JobNews::Anew(job.attempt));
        }
        self.read.attempt = job.attempt;
        for (number, event) in changes {
            self.read.change = number;
            news.push(JobNews::Changed(event));
        }
        for piece in pieces {
            self.add(piece, masks, &mut news)?;
        }
        if ends {
            for kind in LogKind::ALL {
                self.texts[kind as usize].end(kind, &mut news);
            }
            news.push(JobNews::Ended(job.state));
            self.is_over = true;
        }
        self.told = self.read;
        for kind in LogKind::ALL {
            if let Some((number, _)) = self.texts[kind as usize].held.front() {
                self.told.set(kind, *number);
            }
        }
        Ok(news)
    }

    /// Adds a fragment to what is told.
    fn add(&mut self, piece: Piece, masks: Option<&Masks>, news: &mut Vec<JobNews>) -> Result<()> {
        let Piece { kind, phase, number, text } = piece;
        let from = self.read.of(kind);
        let log = &mut self.texts[kind as usize];
        if log.phase.is_some_and(|before| before != phase) {
            log.end(kind, news);
        }
        let shown = match masks.filter(|masks| !masks.plain.is_empty()) {
            None => text,
            Some(masks) => {
                if log.masked.is_none() {
                    let (id, reach) = (self.id, masks.plain.reach());
                    let before = |tx: &_| ops::text_before(tx, Log(id, kind), from, reach);
                    let before = if from > 0 { self.app.read(before)? } else { String::new() };
                    log.masked = Some(Masked::after(Arc::clone(&masks.plain), before.as_bytes()));
                }
                log.feed(number, &text)
            }
        };
        log.phase = Some(phase);
        self.read.set(kind, number.saturating_add(1).max(from));
        push(kind, phase, shown, news);
        Ok(())
    }
}

impl Text {
    /// Takes a fragment and gives what may be shown.
    fn feed(&mut self, number: i64, text: &str) -> String {
        let Some(masked) = &mut self.masked else { return text.to_owned() };
        self.held.push_back((number, text.len()));
        let shown = masked.feed(text.as_bytes());
        let mut bytes: usize = self.held.iter().map(|(_, size)| size).sum();
        while let Some((_, size)) = self.held.front()
            && bytes - size >= masked.held()
        {
            bytes -= size;
            self.held.pop_front();
        }
        String::from_utf8_lossy(&shown).into_owned()
    }

    /// Ends a phase: what is held back of it is shown.
    fn end(&mut self, kind: LogKind, news: &mut Vec<JobNews>) {
        self.held.clear();
        if let (Some(mut masked), Some(phase)) = (self.masked.take(), self.phase) {
            push(kind, phase, String::from_utf8_lossy(&masked.end()).into_owned(), news);
        }
    }
}

/// Adds text to what is told, behind what was told of the same phase.
fn push(kind: LogKind, phase: Phase, text: String, news: &mut Vec<JobNews>) {
    match news.last_mut() {
        _ if text.is_empty() => {}
        Some(JobNews::Text(of, in_phase, before)) if (*of, *in_phase) == (kind, phase) => {
            before.push_str(&text);
        }
        _ => news.push(JobNews::Text(kind, phase, text)),
    }
}
