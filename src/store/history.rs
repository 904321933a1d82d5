//! The history of jobs and agents: every change, when, by whom, from what to what, and why.

use std::ops::ControlFlow;

use super::key::Key;
use super::record::HistoryV1;
use super::rows::{Rows, WriteTx};
use super::tables::Table;
use super::{Error, codec};
use crate::domain::{Actor, AgentName, ClientId, Event, Subject, Timestamp};

impl Subject {
    fn key(&self) -> Key {
        match self {
            Self::Job(id) => Key::new().byte(b'j').raw(id.as_bytes()),
            Self::Agent(name) => Key::new().byte(b'a').name(name.as_str()),
        }
    }
}

/// Reading histories.
pub trait HistoryReads {
    /// The history of a subject, oldest first.
    fn history(&self, subject: &Subject) -> Result<Vec<Event>, Error>;
}

impl<R: Rows> HistoryReads for R {
    fn history(&self, subject: &Subject) -> Result<Vec<Event>, Error> {
        let mut events = Vec::new();
        self.scan_prefix(Table::History, &subject.key(), None, &mut |_, value| {
            events.push(event(codec::decode(value)?)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(events)
    }
}

impl WriteTx<'_> {
    /// Adds a change to the history of a subject.
    pub fn append_history(&mut self, subject: &Subject, event: &Event) -> Result<(), Error> {
        let key = subject.key().number(self.next_seq()?);
        let (actor, actor_name) = match &event.actor {
            Actor::Anonymous => (0, ""),
            Actor::Agent(name) => (1, name.as_str()),
            Actor::Client(id) => (2, id.as_str()),
            Actor::LocalAdmin => (3, ""),
            Actor::Server => (4, ""),
        };
        let record = HistoryV1 {
            at: event.at.as_micros(),
            actor,
            actor_name: actor_name.to_owned(),
            what: event.what.clone(),
            from: event.from.clone(),
            to: event.to.clone(),
            why: event.why.clone(),
        };
        self.put_record(Table::History, &key, &record)
    }

    /// Removes the history of a subject.
    pub fn remove_history(&mut self, subject: &Subject) -> Result<(), Error> {
        self.remove_prefix(Table::History, &subject.key())
    }
}

pub(super) fn event(record: HistoryV1) -> Result<Event, Error> {
    Ok(Event {
        at: Timestamp::from_micros(record.at),
        actor: match record.actor {
            0 => Actor::Anonymous,
            1 => Actor::Agent(AgentName::trusted(record.actor_name)),
            2 => Actor::Client(ClientId::trusted(record.actor_name)),
            3 => Actor::LocalAdmin,
            4 => Actor::Server,
            code => return Err(Error::Corrupt(format!("history: actor {code}"))),
        },
        what: record.what,
        from: record.from,
        to: record.to,
        why: record.why,
    })
}
