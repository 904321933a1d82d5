//! Agents, and what they post about themselves.

use std::collections::BTreeMap;

use super::{AgentName, Change, QueueName, Timestamp};

/// The members whose changes go into an agent's history.
const TOLD: [&str; 6] = ["state", "comment", "queues", "location", "provision_type", "job_id"];

/// An agent.
#[derive(Clone, Debug, PartialEq)]
pub struct Agent {
    /// Its name.
    pub name: AgentName,
    /// Its place in the order of first appearance.
    pub seq: u64,
    /// When it last posted something about itself.
    pub updated_at: Timestamp,
    /// What it posted, member by member, as JSON text; members it never posted are absent.
    pub fields: BTreeMap<String, String>,
    /// Its queues, also in `fields`.
    pub queues: Vec<QueueName>,
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
        changes
    }

    /// A text that the agent posted.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<String> {
        serde_json::from_str(self.fields.get(field)?).ok()
    }
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

/// The end of one provisioning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provision {
    /// When it was reported.
    pub at: Timestamp,
    /// Of which job; agents post any text.
    pub job_id: String,
    /// 0 for success.
    pub exit_code: i64,
    /// What the agent says about it.
    pub detail: String,
}
