//! Agents, and what they post about themselves.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{AgentName, Change, ClientId, JobId, QueueName, Timestamp, plain};

/// The members whose changes go into an agent's history.
const TOLD: [&str; 6] = ["state", "comment", "queues", "location", "provision_type", "job_id"];

/// An agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// Its name.
    pub name: AgentName,
    /// Its place in the order of first appearance.
    pub seq: u64,
    /// When it last posted something about itself.
    #[serde(with = "plain::exact")]
    pub updated_at: Timestamp,
    /// What it posted, member by member, as JSON text; members it never posted are absent.
    #[serde(with = "plain::json_texts")]
    pub fields: BTreeMap<String, String>,
    /// Its queues, also in `fields`.
    pub queues: Vec<QueueName>,
    /// Why it gets no jobs although it asks for them, if it is set aside.
    pub aside: Option<Aside>,
    /// Whether its last provisionings passed (`true`) or failed, and how many in a row; `None` before the first.
    pub streak: Option<(bool, u64)>,
}

impl Agent {
    /// An agent that was not heard of before.
    #[must_use]
    pub const fn new(name: AgentName, seq: u64, now: Timestamp) -> Self {
        Self {
            name,
            seq,
            updated_at: now,
            fields: BTreeMap::new(),
            queues: Vec::new(),
            aside: None,
            streak: None,
        }
    }

    /// It posted something about itself.
    #[must_use]
    pub fn reported(&self, post: &AgentPost, now: Timestamp) -> Self {
        let mut agent = self.clone();
        agent.updated_at = now;
        agent.fields.extend(post.fields.clone());
        if let Some(queues) = &post.queues {
            agent.queues.clone_from(queues);
        }
        agent
    }

    /// It has this job now, or none. It said nothing about itself, so its age stays.
    #[must_use]
    pub fn with_job(&self, job: Option<JobId>) -> Self {
        let mut agent = self.clone();
        let id = job.map(|id| id.to_string()).unwrap_or_default();
        agent.fields.insert(JOB_ID.to_owned(), serde_json::json!(id).to_string());
        agent
    }

    /// The job that it has, in the words of a claim or its own.
    #[must_use]
    pub fn job(&self) -> Option<JobId> {
        job_in(&self.fields)
    }

    /// It gets no more jobs, for this reason.
    #[must_use]
    pub fn set_aside(&self, aside: Aside) -> Self {
        Self { aside: Some(aside), ..self.clone() }
    }

    /// It gets jobs again, and provisionings that failed before do not count against it.
    #[must_use]
    pub fn resumed(&self) -> Self {
        let streak = self.streak.filter(|(passed, _)| *passed);
        Self { aside: None, streak, ..self.clone() }
    }

    /// Whether it is set aside, or somebody, perhaps the agent itself, took it out of service: an agent asks for its state
    /// when it starts, and must find it whenever that is. Agents after August 2026 have a mode beside the state.
    #[must_use]
    pub fn is_out_of_service(&self) -> bool {
        self.aside.is_some() || self.says_that_it_is_out_of_service()
    }

    /// Whether it was set aside because its provisionings failed.
    #[must_use]
    pub fn is_quarantined(&self) -> bool {
        self.aside.as_ref().is_some_and(|aside| aside.cause == Cause::Quarantine)
    }

    fn says_that_it_is_out_of_service(&self) -> bool {
        ["state", "mode"].iter().filter_map(|member| text(&self.fields, member)).any(|word| {
            matches!(word.to_ascii_lowercase().as_str(), "offline" | "maintenance" | "restart")
        })
    }

    /// A provisioning ended: counts how many ended alike in a row.
    #[must_use]
    pub fn provisioned(&self, provision: &Provision) -> Self {
        let passed = provision.exit_code == 0;
        let streak = match self.streak {
            Some((before, count)) if before == passed => (passed, count.saturating_add(1)),
            _ => (passed, 1),
        };
        Self { streak: Some(streak), ..self.clone() }
    }

    /// Whether it says that it has nothing to do, or does not say what it does.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.text("state").is_none_or(|state| state == "waiting")
    }

    /// What people are told about why it is out of service, or whatever else somebody said of its state.
    #[must_use]
    pub fn told_why(&self) -> Option<String> {
        let aside = self.aside.as_ref().map(Aside::to_string);
        aside.or_else(|| self.text("comment").filter(|comment| !comment.is_empty()))
    }

    /// A text that the agent posted.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<String> {
        serde_json::from_str(self.fields.get(field)?).ok()
    }

    /// What its history must tell when it was `old` before, or was not there.
    #[must_use]
    pub fn changes(&self, old: Option<&Self>) -> Vec<Change> {
        let mut changes = Vec::new();
        for name in TOLD {
            let from = old.and_then(|old| old.fields.get(name));
            let to = self.fields.get(name);
            if from != to {
                let (from, to) = (from.cloned(), to.cloned());
                changes.push(Change::Member { name: name.to_owned(), from, to });
            }
        }
        let told = |agent: &Self| agent.aside.as_ref().map(Aside::to_string);
        let (from, to) = (old.and_then(told), told(self));
        if from != to {
            changes.push(Change::Member { name: "aside".to_owned(), from, to });
        }
        changes
    }
}

/// Why an agent gets no jobs although it asks for them. What it says of its own state stays as it is: stock agents
/// overwrite that themselves while they run a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aside {
    /// What set it aside.
    pub cause: Cause,
    /// When.
    #[serde(with = "plain::exact")]
    pub since: Timestamp,
    /// Why, for people; may be empty.
    pub why: String,
}

impl fmt::Display for Aside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why.as_str() {
            "" => f.write_str(self.cause.as_str()),
            why => write!(f, "{}: {why}", self.cause.as_str()),
        }
    }
}

/// What sets an agent aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// The administrator drained it.
    #[serde(rename = "drained")]
    Drain,
    /// Its provisionings failed.
    #[serde(rename = "quarantined")]
    Quarantine,
}

impl Cause {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drain => "drained",
            Self::Quarantine => "quarantined",
        }
    }
}

/// The member that names the job of an agent; empty when it has none.
const JOB_ID: &str = "job_id";

fn job_in(fields: &BTreeMap<String, String>) -> Option<JobId> {
    text(fields, JOB_ID).as_deref().and_then(JobId::from_path)
}

fn text(fields: &BTreeMap<String, String>, member: &str) -> Option<String> {
    serde_json::from_str(fields.get(member)?).ok()
}

/// What an agent posts about itself.
#[derive(Clone, Debug, Default)]
pub struct AgentPost {
    /// Members as JSON text; each replaces the one before.
    pub fields: BTreeMap<String, String>,
    /// Its queues, if it posts them.
    pub queues: Option<Vec<QueueName>>,
    /// Lines to add to its log.
    pub log: Vec<String>,
}

impl AgentPost {
    /// The job that the agent says it has.
    #[must_use]
    pub fn job(&self) -> Option<JobId> {
        job_in(&self.fields)
    }
}

/// The end of one provisioning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provision {
    /// When it was reported.
    #[serde(with = "plain::exact")]
    pub at: Timestamp,
    /// Of which job; agents post any text.
    pub job_id: String,
    /// 0 for success.
    pub exit_code: i64,
    /// What the agent says about it.
    pub detail: String,
    /// The client that submitted the job.
    pub submitted_by: Option<ClientId>,
}
