//! The history of jobs and agents: every change, when, by whom, from what to what, and why.

use serde::{Deserialize, Serialize};

use super::{AgentName, ClientId, JobId, JobState, Timestamp, plain};

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A job.
    Job(JobId),
    /// An agent.
    Agent(AgentName),
}

/// One change, with everything that is told about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    #[serde(with = "plain::exact")]
    pub at: Timestamp,
    /// By whom.
    pub actor: Actor,
    /// What changed.
    pub change: Change,
    /// Why, when the change does not say it itself; the agent's name for [`Change::Silence`].
    pub why: String,
}

impl Event {
    /// Whether a job came into this state by it.
    #[must_use]
    pub fn enters(&self, state: &JobState) -> bool {
        matches!(&self.change, Change::State { to, .. } if to == state)
    }
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A job is in another state.
    State {
        /// The state before; `None` for a job that is new.
        from: Option<JobState>,
        /// The state now.
        to: JobState,
    },
    /// The attachments that a job waited for arrived.
    Attachments,
    /// The agent of a job fell silent, or was heard again.
    Silence {
        /// Whether the silence begins here; else it ends.
        begins: bool,
    },
    /// Something else that has a name: what an agent posts about itself, as JSON text. A change of which this program
    /// does not know the kind reads as one of these.
    Member {
        /// Its name.
        name: String,
        /// The value before; `None` when there was none.
        from: Option<String>,
        /// The value now; `None` when it has no value.
        to: Option<String>,
    },
}
