//! Reading everything of a kind, one after the other, and writing it back as it was: for what is moved as a whole.
//!
//! What can be listed page by page with the reads of the nouns is not here.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::log::{LogTailV1, since_row, split, tail};
use super::{agent, blob, client, history, job, result};
use crate::domain::{
    AgentName, Blob, BlobKind, Event, JobId, Log, Phase, Provision, QueueName, Refresh, Subject,
    Timestamp, plain,
};
use crate::store::engine::{
    Direction, Error, Key, ReadTx, Rows, Table, Tail, WriteTx, codec, leading_name, meta,
};

/// Is shown one thing after the other, until it fails.
type Each<'a, T> = &'a mut dyn FnMut(T) -> Result<(), Error>;

/// Where a log ends.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct LogEnd {
    /// The number of the next fragment that comes without one.
    pub next_fragment: i64,
    /// The number of the next piece of the text that is read once.
    pub next_piece: u64,
    /// When something was last added.
    #[serde(with = "plain::exact")]
    pub written_at: Timestamp,
}

/// What the store says about itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Whole {
    /// The database's own name.
    pub instance: String,
    /// The number that was given out last by the counter from which everything gets its place.
    pub last_number: u64,
    /// When retention last looked at everything.
    #[serde(with = "plain::exact_if_any")]
    pub last_sweep: Option<Timestamp>,
    /// What an import from another server wrote down for the next one.
    pub moved_in: String,
}

impl ReadTx {
    /// What the store says about itself.
    pub fn whole(&self) -> Result<Whole, Error> {
        Ok(Whole {
            instance: meta::instance(self)?,
            last_number: meta::seq(self)?,
            last_sweep: meta::last_sweep(self)?,
            moved_in: meta::moved_in(self)?,
        })
    }

    /// All refresh tokens, with the SHA-256 of each.
    pub fn each_refresh(&self, each: Each<'_, ([u8; 32], Refresh)>) -> Result<(), Error> {
        self.each(Table::Refresh, &mut |key, value| {
            each((Tail(key).bytes(), client::refresh(codec::decode(value)?)))
        })
    }

    /// The log lines of all agents.
    pub fn each_agent_log(&self, each: Each<'_, (AgentName, Vec<String>)>) -> Result<(), Error> {
        self.each(Table::AgentLog, &mut |key, value| {
            each((AgentName::stored(key)?, agent::read_log(value)?))
        })
    }

    /// The ends of the provisionings of all agents, oldest first for each.
    pub fn each_provision(&self, each: Each<'_, (AgentName, Provision)>) -> Result<(), Error> {
        self.each(Table::ProvisionLog, &mut |key, value| {
            each((AgentName::trusted(first_name(key)?), agent::read_provision(value)?))
        })
    }

    /// The images of all queues: a JSON object each.
    pub fn each_images(&self, each: Each<'_, (QueueName, String)>) -> Result<(), Error> {
        self.each(Table::Image, &mut |key, value| {
            each((QueueName::stored(key)?, String::from_utf8_lossy(value).into_owned()))
        })
    }

    /// The queues that have runs.
    pub fn queues_with_runs(&self) -> Result<Vec<QueueName>, Error> {
        Ok(job::names(self, Table::Run)?.into_iter().map(QueueName::trusted).collect())
    }

    /// The ids for which there is a result, each once, and when it was posted if the job is unknown.
    pub fn each_result(&self, each: Each<'_, (JobId, Option<Timestamp>)>) -> Result<(), Error> {
        let mut last = None;
        self.each(Table::Result, &mut |key, _| {
            let id = JobId::stored(key)?;
            if last.replace(id) == Some(id) {
                return Ok(());
            }
            each((id, result::since(self, id)?))
        })
    }

    /// All events, by subject and number.
    pub fn each_event(&self, each: Each<'_, (Subject, u64, Event)>) -> Result<(), Error> {
        self.each(Table::History, &mut |key, value| {
            each((history::subject(key)?, Tail(key).number(), history::event(key, value)?))
        })
    }

    /// All logs and where they end.
    pub fn each_log(&self, each: Each<'_, (Log, LogEnd)>) -> Result<(), Error> {
        self.each(Table::LogTail, &mut |key, value| {
            let tail: LogTailV1 = codec::decode(value)?;
            let log = Log::parse(key).ok_or_else(|| wrong("a log"))?;
            let end = LogEnd {
                next_fragment: tail.next_fragment,
                next_piece: tail.next_piece,
                written_at: Timestamp::from_micros(tail.at),
            };
            each((log, end))
        })
    }

    /// The fragments of a log: phase, number, time and text; by phase and number.
    pub fn each_fragment(
        &self,
        log: Log,
        each: Each<'_, (Phase, i64, Timestamp, String)>,
    ) -> Result<(), Error> {
        let prefix = log.key();
        self.scan_prefix(Table::Fragment, &prefix, None, &mut |key, value| {
            let place = key.get(prefix.as_slice().len()).copied().map(usize::from);
            let phase = place.and_then(|place| Phase::ALL.get(place).copied());
            let mut tail = Tail(key);
            let (_copy, number) = (tail.number(), tail.signed());
            let (at, text) = split(value);
            let text = String::from_utf8_lossy(text).into_owned();
            each((phase.ok_or_else(|| wrong("a fragment"))?, number, at, text))?;
            Ok(ControlFlow::Continue(()))
        })
    }

    /// The pieces of a log that nobody has read: number and text.
    pub fn each_piece(&self, log: Log, each: Each<'_, (u64, String)>) -> Result<(), Error> {
        self.scan_prefix(Table::Drain, &log.key(), None, &mut |key, value| {
            each((Tail(key).number(), String::from_utf8_lossy(value).into_owned()))?;
            Ok(ControlFlow::Continue(()))
        })
    }

    /// All blobs with what they are to whom.
    pub fn each_blob(&self, each: Each<'_, (JobId, BlobKind, Blob)>) -> Result<(), Error> {
        self.each(Table::Blob, &mut |key, value| {
            let (job, kind) = blob::parse_key(key).ok_or_else(|| wrong("a blob"))?;
            each((job, kind, blob::stored(value)?))
        })
    }
}

fn wrong(what: &str) -> Error {
    Error::Corrupt(format!("the key of {what} names none"))
}

fn first_name(key: &[u8]) -> Result<String, Error> {
    leading_name(key).map(|(name, _)| name.to_owned()).ok_or_else(|| wrong("a provisioning"))
}

impl WriteTx<'_> {
    /// Sets what the store says about itself.
    pub fn set_whole(&mut self, whole: &Whole) -> Result<(), Error> {
        self.put(Table::Meta, &meta::meta(meta::INSTANCE), whole.instance.as_bytes())?;
        self.set_seq(whole.last_number)?;
        if let Some(at) = whole.last_sweep {
            self.set_last_sweep(at)?;
        }
        if whole.moved_in.is_empty() { Ok(()) } else { self.set_moved_in(&whole.moved_in) }
    }

    /// Writes an event under its number; says whether nothing was there.
    pub fn put_event(
        &mut self,
        subject: &Subject,
        number: u64,
        event: &Event,
    ) -> Result<bool, Error> {
        let key = history::key(subject).number(number);
        if self.get(Table::History, &key)?.is_some() {
            return Ok(false);
        }
        self.put_record(Table::History, &key, &history::record(event))?;
        Ok(true)
    }

    /// Writes where a log ends; says whether nothing was known of it.
    pub fn put_log_end(&mut self, log: Log, end: &LogEnd) -> Result<bool, Error> {
        if tail(self, log)?.is_some() {
            return Ok(false);
        }
        self.replace_rows(&[], &[since_row(end.written_at, log.key().as_slice())])?;
        let record = LogTailV1 {
            next_fragment: end.next_fragment,
            next_piece: end.next_piece,
            at: end.written_at.as_micros(),
        };
        self.put_record(Table::LogTail, &log.key(), &record)?;
        Ok(true)
    }

    /// Writes a fragment, after those of the same number.
    pub fn put_fragment(
        &mut self,
        log: Log,
        (phase, number): (Phase, i64),
        at: Timestamp,
        text: &str,
    ) -> Result<(), Error> {
        let first = log.fragment(phase, number, 0);
        let last = log.fragment(phase, number, u64::MAX);
        let range = (
            std::ops::Bound::Included(first.as_slice()),
            std::ops::Bound::Included(last.as_slice()),
        );
        let mut copy = 0;
        self.scan(Table::Fragment, range, Direction::Backward, &mut |key, _| {
            copy = Tail(key).number() + 1;
            Ok(ControlFlow::Break(()))
        })?;
        let value = [&at.as_micros().to_be_bytes()[..], text.as_bytes()].concat();
        self.put(Table::Fragment, &log.fragment(phase, number, copy), &value)
    }

    /// Writes a piece of the text that is read once; says whether nothing was there.
    pub fn put_piece(&mut self, log: Log, number: u64, text: &str) -> Result<bool, Error> {
        let key = log.key().number(number);
        let free = self.get(Table::Drain, &key)?.is_none();
        if free {
            self.put(Table::Drain, &key, text.as_bytes())?;
        }
        Ok(free)
    }

    /// Whether a job stands at this place in the order of submission.
    pub fn is_place_taken(&self, seq: u64) -> Result<bool, Error> {
        Ok(self.get(Table::JobBySeq, &Key::new().number(seq))?.is_some())
    }
}
