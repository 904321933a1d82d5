//! Jobs, without what was submitted.

use std::cmp::Reverse;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    AgentName, Change, ClientId, JobId, JobState, LogKind, QueueName, Tag, Timestamp, Tried, plain,
};

/// A job without its body. What happens to it is a method below; nothing else changes its state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Its place in the order of submission; a resubmission gets a new one.
    pub seq: u64,
    /// Its queue.
    pub queue: QueueName,
    /// Higher ones go first.
    pub priority: i64,
    /// Where it stands.
    pub state: JobState,
    /// Whether its attachments are there.
    pub attachments: Attachments,
    /// Who ended it.
    pub ended_by: Option<EndedBy>,
    /// How often it was submitted, from 1.
    pub attempt: u32,
    /// When it was submitted.
    #[serde(with = "plain::exact")]
    pub created_at: Timestamp,
    /// When it was handed to an agent.
    #[serde(with = "plain::exact_if_any")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(with = "plain::exact_if_any")]
    pub finished_at: Option<Timestamp>,
    /// The agent that has or had it, when that agent said who it is.
    pub agent: Option<AgentName>,
    /// The agent has shown that it got the job.
    pub acknowledged: bool,
    /// Since when its agent says nothing, once that was long enough to be noticed.
    #[serde(with = "plain::exact_if_any")]
    pub suspect_since: Option<Timestamp>,
    /// Since when its agent asks for other jobs without having reported the end of this one.
    #[serde(with = "plain::exact_if_any")]
    pub left_since: Option<Timestamp>,
    /// Until when it may wait in its queue.
    #[serde(with = "plain::exact_if_any")]
    pub queue_until: Option<Timestamp>,
    /// The client that submitted it.
    pub client: Option<ClientId>,
    /// Kept by retention whatever its age.
    pub pinned: bool,
    /// It names secrets, so only an agent with a token may have it.
    pub secrets: bool,
    /// Its tags, without repetition.
    pub tags: Vec<Tag>,
    /// The agents that must not have it.
    pub exclude_agents: Vec<AgentName>,
    /// How often it goes to another agent when its provisioning fails.
    pub retries: u32,
    /// Its tries that failed in provisioning, oldest first. The agents of these must not have it again.
    pub tried: Vec<Tried>,
}

impl Job {
    /// What its history calls the change when it is pinned or unpinned.
    pub const PINNED: &'static str = "pinned";

    /// A job that enters its queue now for the first time, with nothing special about it.
    #[must_use]
    pub fn new(id: JobId, seq: u64, queue: QueueName, now: Timestamp) -> Self {
        Self {
            id,
            seq,
            queue,
            priority: 0,
            state: JobState::new(JobState::WAITING),
            attachments: Attachments::None,
            ended_by: None,
            attempt: 1,
            created_at: now,
            started_at: None,
            finished_at: None,
            agent: None,
            acknowledged: false,
            suspect_since: None,
            left_since: None,
            queue_until: None,
            client: None,
            pinned: false,
            secrets: false,
            tags: Vec::new(),
            exclude_agents: Vec::new(),
            retries: 0,
            tried: Vec::new(),
        }
    }

    /// Whether it must not go to this agent.
    #[must_use]
    pub fn excludes(&self, agent: &AgentName) -> bool {
        self.exclude_agents.contains(agent) || self.tried_by(agent).is_some()
    }

    /// Its earlier try with this agent.
    #[must_use]
    pub fn tried_by(&self, agent: &AgentName) -> Option<&Tried> {
        self.tried.iter().find(|tried| tried.agent == *agent)
    }

    /// When it last began to wait in its queue.
    #[must_use]
    pub fn queued_at(&self) -> Timestamp {
        self.tried.last().map_or(self.created_at, |tried| tried.ended_at)
    }

    /// The number with which the fragments of its present try begin in a log.
    #[must_use]
    pub fn log_begins(&self, kind: LogKind) -> i64 {
        self.tried.last().map_or(i64::MIN, |tried| tried.log_ends[kind as usize])
    }

    /// It comes from another server, where it stood like this. When it ended is not known there, so its age counts from
    /// its submission, as it did there.
    #[must_use]
    pub fn moved_in(
        &self,
        state: JobState,
        started_at: Option<Timestamp>,
        agent: Option<AgentName>,
    ) -> Self {
        let ended_by = match state.as_str() {
            JobState::CANCELLED => Some(EndedBy::Person),
            JobState::COMPLETE | JobState::COMPLETED => Some(EndedBy::Agent),
            _ => None,
        };
        // An agent that named itself in the other server's data has acted on the job already.
        let acknowledged = agent.is_some();
        Self { state, ended_by, started_at, agent, acknowledged, ..self.clone() }
    }

    /// In its queue and ready to be handed out.
    #[must_use]
    pub fn is_claimable(&self) -> bool {
        self.state.is_waiting() && self.attachments != Attachments::Awaited
    }

    /// Where it stands in its queue.
    #[must_use]
    pub const fn place(&self) -> Place {
        Place::new(self.priority, self.seq)
    }

    /// The agent that has it now, when that agent said who it is.
    #[must_use]
    pub fn runner(&self) -> Option<&AgentName> {
        self.agent.as_ref().filter(|_| !self.state.is_waiting() && !self.state.is_finished())
    }

    /// Whether a request of this agent about the job shows for the first time that the agent got the job.
    #[must_use]
    pub fn is_news_from(&self, agent: Option<&AgentName>) -> bool {
        agent.is_some() && self.agent.as_ref() == agent && !self.acknowledged
    }

    /// The attachments that it waited for are there.
    #[must_use]
    pub fn with_attachments(&self) -> Self {
        Self { attachments: Attachments::Complete, ..self.clone() }
    }

    /// It is handed to an agent, or to somebody without a name.
    #[must_use]
    pub fn started(&self, agent: Option<AgentName>, now: Timestamp) -> Self {
        Self {
            state: JobState::new(JobState::RUNNING),
            started_at: Some(now),
            agent,
            acknowledged: false,
            suspect_since: None,
            left_since: None,
            ..self.clone()
        }
    }

    /// It is in its old place in its queue again, as if nobody had had it.
    #[must_use]
    pub fn put_back(&self) -> Self {
        Self {
            state: JobState::new(JobState::WAITING),
            started_at: None,
            agent: None,
            suspect_since: None,
            ..self.clone()
        }
    }

    /// Its provisioning failed, so it is in its old place in its queue again, for another agent. It may wait as long as it
    /// could at first.
    #[must_use]
    pub fn tried_in_vain(&self, tried: Tried) -> Self {
        let waits = |until: Timestamp| tried.ended_at.plus(until.since(self.created_at));
        let mut job = Self {
            acknowledged: false,
            left_since: None,
            ended_by: None,
            finished_at: None,
            queue_until: self.queue_until.map(waits),
            ..self.put_back()
        };
        job.tried.push(tried);
        job
    }

    /// The ids under which something of it is kept: those of its tries, and its own.
    pub fn ids(&self) -> impl Iterator<Item = JobId> {
        self.tried.iter().map(|tried| tried.kept).chain([self.id])
    }

    /// Its agent has shown that it got the job.
    #[must_use]
    pub fn with_acknowledgement(&self) -> Self {
        Self { acknowledged: true, ..self.clone() }
    }

    /// Its agent has been silent for so long that this is noticed.
    #[must_use]
    pub fn suspected(&self, now: Timestamp) -> Self {
        Self { suspect_since: Some(now), ..self.clone() }
    }

    /// Its agent was heard again.
    #[must_use]
    pub fn trusted(&self) -> Self {
        Self { suspect_since: None, ..self.clone() }
    }

    /// Its agent asks for another job. It need not have lost this one: an agent that was cut off when the job ended asks
    /// first, and reports the end when it has nothing else to do.
    #[must_use]
    pub fn left(&self, now: Timestamp) -> Self {
        Self { left_since: self.left_since.or(Some(now)), ..self.clone() }
    }

    /// It ends before its time.
    #[must_use]
    pub fn ended(&self, by: EndedBy, now: Timestamp) -> Self {
        Self {
            state: JobState::new(JobState::CANCELLED),
            ended_by: Some(by),
            finished_at: Some(now),
            ..self.clone()
        }
    }

    /// Somebody, perhaps an agent by its name, posted that it is in this state. The state does not change once the job
    /// has ended, except that a job which this server ended may still be completed.
    #[must_use]
    pub fn reported(&self, state: &JobState, agent: Option<&AgentName>, now: Timestamp) -> Self {
        let completed = matches!(state.as_str(), JobState::COMPLETE | JobState::COMPLETED);
        if self.state.is_finished() && !(self.ended_by == Some(EndedBy::Server) && completed) {
            return self.clone();
        }
        let mut job = self.clone();
        if let (true, Some(agent)) = (self.state.is_waiting() && !state.is_waiting(), agent) {
            // It had gone back to its queue and its agent runs it all the same: without an owner nobody would notice
            // when that agent falls silent.
            job.agent = Some(agent.clone());
            job.acknowledged = true;
            job.started_at = Some(now);
        }
        job.finished_at = state.is_finished().then_some(now);
        job.ended_by = state.is_finished().then_some(EndedBy::Agent);
        job.state = state.clone();
        job
    }

    /// Retention keeps it whatever its age, or no longer does.
    #[must_use]
    pub fn with_pin(&self, pinned: bool) -> Self {
        Self { pinned, ..self.clone() }
    }

    /// Where it stands, in a word.
    #[must_use]
    pub fn standing(&self) -> Standing {
        if self.is_claimable() {
            Standing::Waiting
        } else if self.state.is_waiting() {
            Standing::AwaitingAttachments
        } else if !self.state.is_finished() {
            if self.suspect_since.is_some() { Standing::Suspect } else { Standing::Running }
        } else if self.state.as_str() == JobState::CANCELLED {
            Standing::Cancelled(self.ended_by)
        } else {
            Standing::Complete
        }
    }

    /// How long it had its agent, once it has ended.
    #[must_use]
    pub fn ran(&self) -> Option<Duration> {
        let ended = self.finished_at.filter(|_| self.state.is_finished())?;
        Some(ended.since(self.started_at?))
    }

    /// What its history must tell when it was `old` before, or was not there.
    #[must_use]
    pub fn changes(&self, old: Option<&Self>) -> Vec<Change> {
        let Some(old) = old else {
            return vec![Change::State { from: None, to: self.state.clone() }];
        };
        let mut changes = Vec::new();
        if old.state != self.state {
            changes.push(Change::State { from: Some(old.state.clone()), to: self.state.clone() });
        } else if old.attempt == self.attempt
            && old.suspect_since.is_some() != self.suspect_since.is_some()
        {
            changes.push(Change::Silence { begins: self.suspect_since.is_some() });
        }
        if old.pinned != self.pinned {
            let word = |pinned: bool| Some(pinned.to_string());
            let (from, to) = (word(old.pinned), word(self.pinned));
            changes.push(Change::Member { name: Self::PINNED.to_owned(), from, to });
        }
        if (old.attachments, self.attachments) == (Attachments::Awaited, Attachments::Complete) {
            changes.push(Change::Attachments);
        }
        changes
    }
}

/// Whether a job needs an archive of attachments before an agent may have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attachments {
    /// The job names none.
    None,
    /// The job names some and its archive has not arrived: no agent may have the job.
    Awaited,
    /// The archive is there.
    Complete,
}

impl Attachments {
    /// The value of `attachments_status` in the job that an agent gets; absent when the job names none.
    #[must_use]
    pub const fn status(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Awaited => Some("waiting"),
            Self::Complete => Some("complete"),
        }
    }
}

/// Where a job stands in its queue: high priorities come first, and within a priority what was submitted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(Reverse<i64>, u64);

impl Place {
    /// The place of a job with this priority and `seq`.
    #[must_use]
    pub const fn new(priority: i64, seq: u64) -> Self {
        Self(Reverse(priority), seq)
    }
}

/// Where a job stands, as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// In its queue, ready to be handed out.
    Waiting,
    /// In its queue without its attachments.
    AwaitingAttachments,
    /// With an agent.
    Running,
    /// The same, and its agent has been silent for long.
    Suspect,
    /// Ended by its agent.
    Complete,
    /// Ended before its time.
    Cancelled(Option<EndedBy>),
}

impl Standing {
    /// Whether the job is in its queue.
    #[must_use]
    pub const fn is_in_queue(self) -> bool {
        matches!(self, Self::Waiting | Self::AwaitingAttachments)
    }

    /// Whether nothing will happen to the job any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Complete | Self::Cancelled(_))
    }
}

/// Who ended a job; decides what a late result of its agent may still change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// Its agent, by posting a final state.
    Agent,
    /// A person: the job stays cancelled whatever its agent posts.
    Person,
    /// This server, because the agent was lost: its agent may still complete it.
    Server,
}
