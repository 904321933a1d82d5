//! Who sends a request.

use std::collections::BTreeMap;

use super::jwt;
use crate::domain::{AgentName, ClientId, NamePattern, QueueName, Role};

/// What a token says about its client. The rights are those that the client had when the token was issued.
#[derive(Clone, Debug)]
pub struct Permissions {
    /// The client.
    pub client: ClientId,
    /// Which client of that name the token was issued to; `None` if the token does not say so.
    pub since: Option<jwt::Incarnation>,
    /// Its role.
    pub role: Role,
    /// The highest priority by queue, `*` for all.
    pub max_priority: BTreeMap<String, i64>,
    /// The longest reservation in seconds by queue, `*` for all.
    pub max_reservation_time: BTreeMap<String, i64>,
    /// The restricted queues that it may use.
    pub allowed_queues: Vec<String>,
    /// The agents that it speaks for, as the client has them now; all of them when there is none.
    pub agents: Vec<NamePattern>,
}

impl Permissions {
    /// The permissions in a verified token; `None` when its client id or role is one that this server cannot have.
    #[must_use]
    pub fn from_claims(claims: jwt::Permissions) -> Option<Self> {
        Some(Self {
            client: ClientId::try_from(claims.client_id).ok()?,
            since: claims.since,
            role: Role::parse(&claims.role)?,
            max_priority: claims.max_priority,
            max_reservation_time: claims.max_reservation_time,
            allowed_queues: claims.allowed_queues,
            agents: Vec::new(),
        })
    }

    /// The larger of the limit for the queue and the limit for all queues.
    fn limit(limits: &BTreeMap<String, i64>, queue: &QueueName) -> i64 {
        let of = |name: &str| limits.get(name).copied().unwrap_or(0);
        of(queue.as_str()).max(of("*"))
    }

    /// The highest priority that a job on this queue may have.
    #[must_use]
    pub fn priority(&self, queue: &QueueName) -> i64 {
        Self::limit(&self.max_priority, queue)
    }

    /// The longest reservation on this queue, seconds.
    #[must_use]
    pub fn reservation_time(&self, queue: &QueueName) -> i64 {
        Self::limit(&self.max_reservation_time, queue)
    }

    /// Whether its bearer may say that it is this agent.
    #[must_use]
    pub fn speaks_for(&self, agent: &AgentName) -> bool {
        self.agents.is_empty() || self.agents.iter().any(|pattern| pattern.matches(agent))
    }

    /// Whether the client may use this queue when it is restricted.
    #[must_use]
    pub fn may_use(&self, queue: &QueueName) -> bool {
        self.allowed_queues.iter().any(|allowed| allowed == queue.as_str())
    }
}

/// Who sends a request.
#[derive(Clone, Debug, Default)]
pub enum Identity {
    /// A caller without a token.
    #[default]
    Anonymous,
    /// A client with a token.
    Client(Permissions),
    /// The administrator at this machine: the admin socket, or the command line on a stopped server.
    LocalAdmin,
}

impl Identity {
    /// The role of a client.
    #[must_use]
    pub const fn role(&self) -> Option<Role> {
        match self {
            Self::Client(permissions) => Some(permissions.role),
            Self::Anonymous | Self::LocalAdmin => None,
        }
    }

    /// The id of a client.
    #[must_use]
    pub const fn client(&self) -> Option<&ClientId> {
        match self {
            Self::Client(permissions) => Some(&permissions.client),
            Self::Anonymous | Self::LocalAdmin => None,
        }
    }
}
