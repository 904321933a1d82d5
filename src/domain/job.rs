//! Jobs, without what was submitted.

use super::{AgentName, ClientId, JobId, JobState, QueueName, Tag, Timestamp};

/// A job without its body.
#[derive(Clone, Debug, PartialEq)]
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
    pub created_at: Timestamp,
    /// When it was handed to an agent.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The agent that has or had it, when that agent said who it is.
    pub agent: Option<AgentName>,
    /// The agent has shown that it got the job.
    pub acknowledged: bool,
    /// Since when its agent says nothing, once that was long enough to be noticed.
    pub suspect_since: Option<Timestamp>,
    /// Until when it may wait in its queue.
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
}

impl Job {
    /// In its queue and ready to be handed out.
    #[must_use]
    pub fn is_claimable(&self) -> bool {
        self.state.is_waiting() && self.attachments != Attachments::Awaited
    }
}

/// Whether a job needs an archive of attachments before an agent may have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// Who ended a job; decides what a late result of its agent may still change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// Its agent, by posting a final state.
    Agent,
    /// A person: the job stays cancelled whatever its agent posts.
    Person,
    /// This server, because the agent was lost: its agent may still complete it.
    Server,
}
