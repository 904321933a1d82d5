//! Agents, and what they post about themselves.

use std::collections::BTreeMap;

use super::{AgentName, QueueName, Timestamp};

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
