//! Clients.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ClientId, NamePattern, QueueName, Role, Timestamp, plain};

/// A client.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its id.
    pub id: ClientId,
    /// What it may do.
    pub role: Role,
    /// The hash of its secret: argon2id as a PHC string, or bcrypt as imported; empty when it has none.
    pub secret_hash: String,
    /// The highest priority by queue, `*` for all.
    pub max_priority: BTreeMap<String, i64>,
    /// The longest reservation in seconds by queue, `*` for all.
    pub max_reservation_time: BTreeMap<String, i64>,
    /// The restricted queues that it may use; `None` until one was granted for the first time.
    pub allowed_queues: Option<Vec<QueueName>>,
    /// The agents that its tokens speak for; all of them when there is none.
    pub agents: Vec<NamePattern>,
    /// How to reach the person who is responsible for it.
    pub email: Option<String>,
    /// When it was created.
    #[serde(with = "plain::exact")]
    pub created_at: Timestamp,
}

/// Without the hash: a log line must not help anybody to guess secrets.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.id)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client without rights beyond its role's and without a secret.
    #[must_use]
    pub const fn new(id: ClientId, role: Role, now: Timestamp) -> Self {
        Self {
            id,
            role,
            secret_hash: String::new(),
            max_priority: BTreeMap::new(),
            max_reservation_time: BTreeMap::new(),
            allowed_queues: None,
            agents: Vec::new(),
            email: None,
            created_at: now,
        }
    }

    /// What differs between this client and what it was before, in words. A secret is only said to be new.
    #[must_use]
    pub fn changes_since(&self, old: &Self) -> String {
        let limits = |limits: &BTreeMap<String, i64>| {
            let each = limits.iter().map(|(queue, number)| format!("{queue}={number}"));
            each.collect::<Vec<_>>().join(",")
        };
        let queues = |client: &Self| {
            let names = client.allowed_queues.iter().flatten();
            names.map(QueueName::as_str).collect::<Vec<_>>().join(",")
        };
        let agents = |client: &Self| {
            client.agents.iter().map(NamePattern::as_str).collect::<Vec<_>>().join(",")
        };
        let email = |client: &Self| client.email.clone().unwrap_or_default();
        let pairs = [
            ("role", old.role.to_string(), self.role.to_string()),
            ("max_priority", limits(&old.max_priority), limits(&self.max_priority)),
            (
                "max_reservation_time",
                limits(&old.max_reservation_time),
                limits(&self.max_reservation_time),
            ),
            ("allowed_queues", queues(old), queues(self)),
            ("agents", agents(old), agents(self)),
            ("email", email(old), email(self)),
        ];
        let mut changes: Vec<String> = pairs
            .iter()
            .filter(|(_, before, now)| before != now)
            .map(|(what, before, now)| format!("{what} {before:?} -> {now:?}"))
            .collect();
        if old.secret_hash != self.secret_hash {
            changes.push("a new secret".to_owned());
        }
        if changes.is_empty() { "nothing changed".to_owned() } else { changes.join("; ") }
    }

    /// Makes it an owner of a restricted queue; says whether that is new.
    pub fn grant(&mut self, queue: &QueueName) -> bool {
        let queues = self.allowed_queues.get_or_insert_default();
        let new = !queues.contains(queue);
        if new {
            queues.push(queue.clone());
        }
        new
    }

    /// Takes a restricted queue from it; says whether it owned the queue.
    pub fn withdraw(&mut self, queue: &QueueName) -> bool {
        let Some(queues) = &mut self.allowed_queues else {
            return false;
        };
        let before = queues.len();
        queues.retain(|owned| owned != queue);
        queues.len() < before
    }
}
