//! The history of jobs and agents: every change, when, by whom, from what to what, and why.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::domain::{
    Actor, AgentName, Change, ClientId, Event, JobId, JobState, Subject, Timestamp,
};
use crate::store::engine::codec::first_version;
use crate::store::engine::observer::News;
use crate::store::engine::{ALL, Error, Key, Rows, Table, Tail, WriteTx, codec, leading_name};

/// One change of a job or an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct HistoryV1 {
    pub(super) at: i64,
    /// 0 anonymous, 1 agent, 2 client, 3 local administrator, 4 this server.
    pub(super) actor: u8,
    /// The agent's or client's name, else empty.
    pub(super) actor_name: String,
    pub(super) what: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) why: String,
}
first_version!(HistoryV1, 6);

/// How the keys of a history begin.
const JOB: u8 = b'j';
const AGENT: u8 = b'a';

/// How the keys of a subject's history begin.
pub(crate) fn key(subject: &Subject) -> Key {
    match subject {
        Subject::Job(id) => Key::new().byte(JOB).raw(id.as_bytes()),
        Subject::Agent(name) => Key::new().byte(AGENT).name(name.as_str()),
    }
}

/// The subject in the key of an event.
pub(super) fn subject(key: &[u8]) -> Result<Subject, Error> {
    let agent = |rest| leading_name(rest).map(|(name, _)| AgentName::trusted(name));
    let found = match key.split_first() {
        Some((&JOB, rest)) => Some(Subject::Job(JobId::stored(rest)?)),
        Some((&AGENT, rest)) => agent(rest).map(Subject::Agent),
        _ => None,
    };
    found.ok_or_else(|| Error::Corrupt("the key of an event names no subject".to_owned()))
}

/// Reading histories.
pub trait HistoryReads {
    /// The history of a subject, oldest first.
    fn history(&self, subject: &Subject) -> Result<Vec<Event>, Error>;
    /// The next `limit` events of a subject after the one with the number `after`, with their numbers, oldest first.
    fn events_after(
        &self,
        subject: &Subject,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Event)>, Error>;
    /// The newest `limit` events of a subject with their numbers, oldest first. Numbers grow over all subjects.
    fn newest_events(&self, subject: &Subject, limit: usize) -> Result<Vec<(u64, Event)>, Error>;
    /// When a member of a subject, or its state, last changed, as far as the newest `limit` events tell.
    fn changed_at(
        &self,
        subject: &Subject,
        member: &str,
        limit: usize,
    ) -> Result<Option<Timestamp>, Error>;
}

impl<R: Rows> HistoryReads for R {
    fn history(&self, subject: &Subject) -> Result<Vec<Event>, Error> {
        self.list(Table::History, &key(subject), ALL, event)
    }

    fn events_after(
        &self,
        subject: &Subject,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Event)>, Error> {
        self.list(Table::History, &key(subject), (Some(after), limit), |row, value| {
            Ok((Tail(row).number(), event(row, value)?))
        })
    }

    fn newest_events(&self, subject: &Subject, limit: usize) -> Result<Vec<(u64, Event)>, Error> {
        let mut found = Vec::new();
        self.scan_back(Table::History, &key(subject), &mut |key, value| {
            if found.len() == limit {
                return Ok(ControlFlow::Break(()));
            }
            found.push((Tail(key).number(), event(key, value)?));
            Ok(ControlFlow::Continue(()))
        })?;
        found.reverse();
        Ok(found)
    }

    fn changed_at(
        &self,
        subject: &Subject,
        member: &str,
        limit: usize,
    ) -> Result<Option<Timestamp>, Error> {
        let (mut seen, mut found) = (0, None);
        self.scan_back(Table::History, &key(subject), &mut |_, value| {
            let record: HistoryV1 = codec::decode(value)?;
            seen += 1;
            if record.what == member {
                found = Some(Timestamp::from_micros(record.at));
            }
            let goes_on = found.is_none() && seen < limit;
            Ok(if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(found)
    }
}

/// How many changes of a subject are kept.
const KEPT: usize = 1000;
/// A history is cut after so many changes on average, because that reads all that is kept ..
const CUT_AFTER: u64 = 64;
/// .. and by at most so many changes at a time, because every other write waits for it.
const CUT: usize = 256;

/// Whether a history is cut after the change with this number. Numbers are spread out first: those of one subject may
/// grow in steps, such as from one even number to the next.
const fn is_cut(number: u64) -> bool {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32 & (CUT_AFTER - 1) == 0
}

impl WriteTx<'_> {
    /// Adds a change to the history of a subject, and now and then forgets all but the newest [`KEPT`].
    pub fn append_history(&mut self, subject: &Subject, event: &Event) -> Result<(), Error> {
        let number = self.next_seq()?;
        self.note_news(News::Changed(subject.clone(), number, event.clone()));
        let prefix = key(subject);
        self.put_record(Table::History, &prefix.clone().number(number), &record(event))?;
        if is_cut(number) { self.cut_history(&prefix) } else { Ok(()) }
    }

    fn cut_history(&mut self, prefix: &Key) -> Result<(), Error> {
        let newest =
            self.newest(Table::History, prefix, (None, KEPT), |row, _| Ok(Tail(row).number()))?;
        let Some(first) = newest.get(KEPT - 1) else { return Ok(()) };
        let oldest =
            self.list(Table::History, prefix, (None, CUT), |row, _| Ok(Tail(row).number()))?;
        for number in oldest.into_iter().filter(|number| number < first) {
            self.remove(Table::History, &prefix.clone().number(number))?;
        }
        Ok(())
    }

    /// Removes the history of a subject.
    pub fn remove_history(&mut self, subject: &Subject) -> Result<(), Error> {
        self.remove_prefix(Table::History, &key(subject))
    }
}

/// The words that stand for changes of a job.
const STATE: &str = "state";
const ATTACHMENTS: (&str, &str, &str) = ("attachments", "waiting", "complete");
const SILENCE: (&str, &str, &str) = ("agent", "heard", "silent");

pub(super) fn record(event: &Event) -> HistoryV1 {
    let (actor, actor_name) = match &event.actor {
        Actor::Anonymous => (0, ""),
        Actor::Agent(name) => (1, name.as_str()),
        Actor::Client(id) => (2, id.as_str()),
        Actor::LocalAdmin => (3, ""),
        Actor::Server => (4, ""),
    };
    let (what, from, to) = match &event.change {
        Change::State { from, to } => {
            (STATE, from.as_ref().map_or("", JobState::as_str), to.as_str())
        }
        Change::Attachments => ATTACHMENTS,
        Change::Silence { begins: true } => SILENCE,
        Change::Silence { begins: false } => (SILENCE.0, SILENCE.2, SILENCE.1),
        Change::Member { name, from, to } => {
            (name.as_str(), from.as_deref().unwrap_or_default(), to.as_deref().unwrap_or_default())
        }
    };
    HistoryV1 {
        at: event.at.as_micros(),
        actor,
        actor_name: actor_name.to_owned(),
        what: what.to_owned(),
        from: from.to_owned(),
        to: to.to_owned(),
        why: event.why.clone(),
    }
}

/// A stored event; the key says whether it is one of a job.
pub(crate) fn event(key: &[u8], value: &[u8]) -> Result<Event, Error> {
    from_record(key, codec::decode(value)?)
}

fn from_record(key: &[u8], record: HistoryV1) -> Result<Event, Error> {
    let of_a_job = key.first() == Some(&JOB);
    let change = if of_a_job { job_change(&record) } else { None };
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
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
        change: change.unwrap_or_else(|| Change::Member {
            name: record.what,
            from: some(record.from),
            to: some(record.to),
        }),
        why: record.why,
    })
}

/// A change that only jobs have.
fn job_change(record: &HistoryV1) -> Option<Change> {
    let words = (record.what.as_str(), record.from.as_str(), record.to.as_str());
    match words {
        (STATE, from, to) => {
            let from = (!from.is_empty()).then(|| JobState::new(from));
            Some(Change::State { from, to: JobState::new(to) })
        }
        _ if words == ATTACHMENTS => Some(Change::Attachments),
        _ if words == SILENCE => Some(Change::Silence { begins: true }),
        _ if words == (SILENCE.0, SILENCE.2, SILENCE.1) => Some(Change::Silence { begins: false }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The change that these stored words are, and the words that it is stored as again.
    fn read_back(subject: u8, words: [&str; 3]) -> (Change, [String; 3]) {
        let [what, from, to] = words.map(ToOwned::to_owned);
        let stored = HistoryV1 {
            at: 1,
            actor: 0,
            actor_name: String::new(),
            what,
            from,
            to,
            why: "w".to_owned(),
        };
        let read = from_record(&[subject], stored.clone()).unwrap();
        let again = record(&read);
        assert_eq!((again.at, &again.why), (stored.at, &stored.why));
        (read.change, [again.what, again.from, again.to])
    }

    #[test]
    fn every_change_is_stored_as_the_words_that_it_was_read_from() {
        let state = JobState::new("waiting");
        let member = |from: &str| Change::Member {
            name: "state".to_owned(),
            from: Some(from.to_owned()),
            to: None,
        };
        for (subject, words, expected) in [
            (JOB, ["state", "", "waiting"], Change::State { from: None, to: state.clone() }),
            (
                JOB,
                ["state", "waiting", "waiting"],
                Change::State { from: Some(state.clone()), to: state },
            ),
            (JOB, ["attachments", "waiting", "complete"], Change::Attachments),
            (JOB, ["agent", "heard", "silent"], Change::Silence { begins: true }),
            (JOB, ["agent", "silent", "heard"], Change::Silence { begins: false }),
            (AGENT, ["state", "\"test\"", ""], member("\"test\"")),
        ] {
            assert_eq!(read_back(subject, words), (expected, words.map(ToOwned::to_owned)));
        }
    }

    #[test]
    fn a_change_of_an_unknown_kind_can_still_be_read() {
        for words in [["colour", "red", "blue"], ["agent", "heard", "lost"], ["", "", ""]] {
            let (change, again) = read_back(JOB, words);
            assert!(matches!(change, Change::Member { .. }), "{change:?}");
            assert_eq!(again, words);
        }
    }
}
