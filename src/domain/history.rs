//! The history of jobs and agents: every change, when, by whom, from what to what, and why.

use super::{AgentName, ClientId, JobId, Timestamp};

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Somebody who did not say who they are.
    Anonymous,
    /// An agent, by its cookie.
    Agent(AgentName),
    /// A client, by its token.
    Client(ClientId),
    /// The administrator at this machine.
    LocalAdmin,
    /// This server by itself.
    Server,
}

/// What a history belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A job.
    Job(JobId),
    /// An agent.
    Agent(AgentName),
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub actor: Actor,
    /// What changed, in the field's words: `state`, `attachments`, `queues` ..
    pub what: String,
    /// From what; empty when there was nothing.
    pub from: String,
    /// To what.
    pub to: String,
    /// Why, when the change does not say it itself.
    pub why: String,
}
