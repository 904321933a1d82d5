//! What the product does: one use case, one synchronous function, one transaction.
//!
//! A function takes the transaction, the time and what is asked, and decides before its first write. Nothing here knows
//! of HTTP or threads; [`Error`] says what went wrong in the words of the field, and `http` alone turns it into a status.

mod agent;
mod alert;
mod artifact;
mod aside;
mod cancel;
mod claim;
mod client;
mod drain;
mod history;
mod lease;
mod log;
mod notice;
mod pin;
mod queue;
mod read;
mod restriction;
mod result;
mod retry;
mod secret;
mod submit;
mod sweep;
mod token;

pub use agent::{post_agent, post_provision};
pub use alert::{Told, lab_troubles, settle_alerts, told};
pub use artifact::{awaiting_attachments, put_artifact, put_attachments};
pub use aside::{drain_agent, resume_agent};
pub use cancel::cancel;
pub use claim::{ClaimReads, Claimed, claim, has_something};
pub use client::{
    ClientChange, Done, Put, SYSTEM_ADMIN, claims, delete_client, put_client, replace_hash,
};
pub use drain::{Drain, drain, drained, resume};
use history::{change_agent, change_job, hand_over, write_down};
pub use lease::{Due, Patience, act, overdue, take_back};
use log::write_line;
pub use log::{append_fragment, append_text, forget_read};
pub use notice::{Sent, drop_notice, note_sent, notices, notify, retry_notice};
pub use pin::pin;
pub use queue::{advertise, advertise_images};
pub use read::*;
pub use restriction::{add_owner, open_queue, remove_owner, restricted_to};
pub use result::{Posted, post_result};
pub use retry::{queues_with_retries, set_retries};
pub use secret::{
    Keep, MOST_SECRETS, Resealing, delete_secret, job_secrets, may_keep_secrets, put_secret,
    reseal, secrets, tell_missing,
};
pub use submit::{Once, Submission, submit, submit_once};
pub use sweep::{Sweep, Why, confirm_clock, free_files, going, held_since, sweep};
pub use token::{remember_refresh, revoke_refresh, use_refresh};

use crate::auth::Identity;
use crate::domain::{
    Access, Actor, AgentName, ClientId, Guarded, Job, JobId, QueueName, Role, SecretPath,
};
use crate::store::{self, ClientReads, JobReads, WriteTx};

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such job.
    #[error("there is no such job")]
    NoJob,
    /// The job is somebody else's.
    #[error("the job belongs to somebody else")]
    NotYours,
    /// The token was not given for this agent.
    #[error("the token is not for agent {0:?}")]
    OtherAgent(AgentName),
    /// The id that a client gave for its job is not a UUID.
    #[error("the id is not a UUID")]
    BadJobId,
    /// The job is unknown or does not wait in a queue.
    #[error("the job does not wait in a queue")]
    NoPosition,
    /// The job has ended, so there is nothing to cancel.
    #[error("the job has ended")]
    JobFinished,
    /// Attachments for a job that is unknown or no longer waiting.
    #[error("job {0} does not wait in a queue")]
    NotWaiting(JobId),
    /// Attachments for a job that names none.
    #[error("job {0} names no attachments")]
    NoAttachments(JobId),
    /// The job excludes every agent of its queue.
    #[error("the job excludes every agent of its queue")]
    AllAgentsExcluded,
    /// The job needs a right that its submitter does not have.
    #[error("the submitter lacks a right that the job needs")]
    Lacks {
        /// What the job needs a right for.
        right: Right,
        /// Whether the submitter has a token; without one nobody has any right.
        token: bool,
    },
    /// An agent says too much about itself.
    #[error("the agent says too much about itself")]
    AgentTooLarge,
    /// There is no such agent.
    #[error("there is no such agent")]
    NoAgent,
    /// There is no such client.
    #[error("there is no such client")]
    NoClient,
    /// There is such a client.
    #[error("there is such a client")]
    ClientExists,
    /// The first admin is changed at this machine only.
    #[error("the first admin is changed at this machine only")]
    SystemAdmin(ClientVerb),
    /// Without an admin nobody could manage the server over HTTP.
    #[error("the last admin must remain")]
    LastAdmin(ClientVerb),
    /// The client that is to be changed has a higher role than the manager.
    #[error("{manager} may not change client {client}")]
    AboveManager {
        /// Who wants to change it.
        manager: ClientId,
        /// The client.
        client: ClientId,
    },
    /// The role that a client is to have is higher than the manager's.
    #[error("{manager} may not give client {client} the role {role}")]
    RoleAboveManager {
        /// Who wants to give it.
        manager: ClientId,
        /// The client.
        client: ClientId,
        /// The role.
        role: Role,
        /// The client is to be created.
        new: bool,
    },
    /// A client's rights are longer than a token may be.
    #[error("the rights do not fit into a token")]
    TooManyRights,
    /// A client's secrets are written by the client itself.
    #[error("the secrets of client {0} are its own")]
    OtherClient(ClientId),
    /// A text is not the path of a secret.
    #[error("{0:?} is not the path of a secret")]
    BadSecretPath(String),
    /// The client keeps as many secrets as it may.
    #[error("the client keeps {MOST_SECRETS} secrets already")]
    TooManySecrets,
    /// The key of a submission stands for another one.
    #[error("the key stands for another submission")]
    KeyReused,
    /// A submission has a key and names the job that it replaces.
    #[error("a submission has either a key or an id")]
    KeyAndId,
    /// A job names secrets, and its submitter has no token.
    #[error("whoever has no token has no secrets")]
    SecretsOfNobody,
    /// A job names secrets that its submitter does not have.
    #[error("the submitter does not have the secrets {0:?}")]
    InaccessibleSecrets(Vec<SecretPath>),
    /// The queue is not restricted.
    #[error("the queue is not restricted")]
    NotRestricted,
    /// A queue that no agent serves cannot be restricted.
    #[error("no agent serves the queue")]
    NoAgentOnQueue,
    /// A refresh token is of no use.
    #[error("the refresh token is {0}")]
    BadRefresh(BadRefresh),
    /// A refresh token that was revoked is used again.
    #[error("the refresh token was revoked")]
    RevokedRefresh(ClientId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// What a job may need a right for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Right {
    /// A priority on a queue.
    Priority(QueueName, i64),
    /// A queue that is restricted.
    Restricted(QueueName),
    /// A long reservation on a queue, seconds.
    Reservation(QueueName, i64),
}

/// What is done to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientVerb {
    /// It is changed.
    Modify,
    /// It gets a role below admin.
    Demote,
    /// It is removed.
    Delete,
}

/// Why a refresh token is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadRefresh {
    /// Nobody has such a token, or its client is gone.
    Unknown,
    /// It was not used for too long.
    Expired,
    /// It is to be revoked, and there is no such token.
    NotFound,
    /// It is to be revoked, and was before.
    AlreadyRevoked,
}

impl std::fmt::Display for BadRefresh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unknown | Self::NotFound => "unknown",
            Self::Expired => "expired",
            Self::AlreadyRevoked => "revoked already",
        })
    }
}

/// Who asks, as far as a use case cares.
#[derive(Clone, Debug)]
pub struct By {
    /// Who it is.
    pub identity: Identity,
    /// The agent that the caller says it is.
    pub agent: Option<AgentName>,
    /// How open the server is.
    pub access: Access,
    /// Which jobs of clients callers without a token may not act on.
    pub guarded: Guarded,
}

impl By {
    /// Whether the caller may end or replace a job that somebody else submitted. In a lab that is open to all everybody
    /// may; elsewhere its submitter, managers and admins. Where jobs may be submitted without a token, such a job is
    /// everybody's: its submitter may have logged in meanwhile.
    #[must_use]
    pub fn may_touch(&self, job: &Job) -> bool {
        let manager = matches!(self.identity.role(), Some(Role::Admin | Role::Manager));
        self.access == Access::Open
            || manager
            || matches!(self.identity, Identity::LocalAdmin)
            || self.identity.client() == job.client.as_ref()
            || (self.access == Access::Contributor && job.client.is_none())
    }

    /// Whether the caller may speak for an agent. A token may be bound to names, so that the host of one rack cannot take
    /// or end the jobs of another. Where agents need no token, it takes nothing from its bearer.
    ///
    /// # Errors
    /// [`Error::OtherAgent`].
    pub fn speaks_for(&self, agent: &AgentName) -> Result<(), Error> {
        match &self.identity {
            Identity::Client(permissions)
                if self.access != Access::Open && !permissions.speaks_for(agent) =>
            {
                Err(Error::OtherAgent(agent.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Who is written into the history.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match (&self.identity, &self.agent) {
            (Identity::LocalAdmin, _) => Actor::LocalAdmin,
            // A cookie is what anybody may say; a token is proof. Only an agent's own token goes with its cookie.
            (Identity::Client(permissions), Some(agent)) if permissions.role == Role::Agent => {
                Actor::Agent(agent.clone())
            }
            (Identity::Client(permissions), _) => Actor::Client(permissions.client.clone()),
            (Identity::Anonymous, Some(agent)) => Actor::Agent(agent.clone()),
            (Identity::Anonymous, None) => Actor::Anonymous,
        }
    }
}

/// Whether the caller may end a job or supply its attachments. More callers may than replace it, because the command
/// line of 2025 shows its token when it submits and at no other time: see docs/decisions/0008.
fn may_steer(tx: &impl ClientReads, job: &Job, by: &By) -> Result<bool, store::Error> {
    let nameless = by.access == Access::Contributor && matches!(by.identity, Identity::Anonymous);
    let guarded = by.guarded == Guarded::All || job.secrets || tx.is_restricted(&job.queue)?;
    Ok(by.may_touch(job) || (nameless && !guarded))
}

/// Where a report about a job belongs. Where agents need tokens, an agent reports on the job that it holds: what it posts
/// about another's is kept under an id of its own until retention removes it. It is not refused, because agents send what
/// is refused again for ever. What an agent still posts about a job that it tried in vain belongs to that try.
fn place_of(tx: &impl JobReads, id: JobId, by: &By) -> Result<JobId, Error> {
    let job = tx.job(id)?;
    let late = |job: &Job| job.tried_by(by.agent.as_ref()?).map(|tried| tried.kept);
    if let Some(kept) = job.as_ref().and_then(late) {
        return Ok(kept);
    }
    if by.access == Access::Open || matches!(by.identity, Identity::LocalAdmin) {
        return Ok(id);
    }
    let holder = job.and_then(|job| job.agent);
    let Some(holder) = holder.filter(|holder| by.agent.as_ref() != Some(holder)) else {
        return Ok(id);
    };
    let agent = by.agent.as_ref().map(AgentName::as_str).unwrap_or_default();
    let client = by.identity.client().map(ClientId::as_str).unwrap_or_default();
    let kept = id.apart(agent);
    let detail = "an agent posted about a job that another agent holds; it is kept apart";
    tracing::warn!(target: "audit", event = "authz_fail", subject = %id, by = client, agent, %holder, %kept, detail);
    Ok(kept)
}

/// Marks a job as acknowledged when its agent's cookie names the agent that has it.
pub fn acknowledge(tx: &mut WriteTx<'_>, id: JobId, by: &By) -> Result<(), Error> {
    if let Some(old) = tx.job(id)?.filter(|job| job.is_news_from(by.agent.as_ref())) {
        tx.update_job(&old, &old.with_acknowledgement())?;
    }
    Ok(())
}
