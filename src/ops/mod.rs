//! What the product does: one use case, one synchronous function, one transaction.
//!
//! A function takes the transaction, the time and what is asked, and decides before its first write. Nothing here knows
//! of HTTP or threads; [`Error`] says what went wrong in the words of the field, and `http` alone turns it into a status.

mod agent;
mod artifact;
mod cancel;
mod claim;
mod client;
mod lease;
mod log;
mod queue;
mod read;
mod restriction;
mod result;
mod submit;
mod sweep;
mod token;

pub use agent::{post_agent, post_provision};
pub use artifact::{awaiting_attachments, put_artifact, put_attachments};
pub use cancel::cancel;
pub use claim::{Claimed, claim, has_something};
pub use client::{ClientChange, Done, Put, SYSTEM_ADMIN, delete_client, put_client, replace_hash};
pub use lease::{Due, Patience, act, overdue, take_back};
pub use log::{append_fragment, append_text, forget_read};
pub use queue::{advertise, advertise_images};
pub use read::*;
pub use restriction::{add_owner, open_queue, remove_owner, restricted_to};
pub use result::{Posted, post_result};
pub use submit::{Submission, submit};
pub use sweep::sweep;
pub use token::{remember_refresh, revoke_refresh, use_refresh};

use crate::auth::{Denied, Identity};
use crate::domain::{Access, AgentName, ClientId, JobId, Role, Timestamp};
use crate::store::{self, Actor, Event, Job, JobReads, Subject, WriteTx};

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such job.
    #[error("Job not found")]
    NoJob,
    /// The job is somebody else's.
    #[error("Only the submitter of a job, a manager or an admin may do this")]
    NotYours,
    /// The id that a client gave for its job is no UUID.
    #[error("Invalid job_id specified")]
    BadJobId,
    /// The job is unknown or does not wait in a queue.
    #[error("Job not found or already started\n")]
    NoPosition,
    /// The job has ended, so there is nothing to cancel.
    #[error("The job is already completed or cancelled")]
    JobFinished,
    /// Attachments for a job that is unknown or no longer waiting.
    #[error("Job {0} is not valid\n")]
    NotWaiting(JobId),
    /// Attachments for a job that names none.
    #[error("Job {0} not awaiting attachments\n")]
    NoAttachments(JobId),
    /// The job excludes every agent of its queue.
    #[error("There are no agents on the specified queue that are allowed to run this job")]
    AllAgentsExcluded,
    /// There is no such client.
    #[error("Error: Specified client_id does not exist.")]
    NoClient,
    /// There is such a client.
    #[error("Error: Client already exists")]
    ClientExists,
    /// The first admin is changed at this machine only.
    #[error("Error: System admin client cannot by {0} from API.")]
    SystemAdmin(&'static str),
    /// Without an admin nobody could manage the server over HTTP.
    #[error("Error: The last admin client cannot be {0} from API.")]
    LastAdmin(&'static str),
    /// The queue is not restricted.
    #[error("Error: Restricted queue not found.")]
    NotRestricted,
    /// A queue that no agent serves cannot be restricted.
    #[error("Error: No agent is associated with the specified queue.")]
    NoAgentOnQueue,
    /// A refresh token is of no use.
    #[error("{0}")]
    BadRefresh(&'static str),
    /// A refresh token that was taken back is used again.
    #[error("Refresh token revoked.")]
    RevokedRefresh(ClientId),
    /// The caller may not do this.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
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
}

impl By {
    /// Whether the caller may end or replace a job that somebody else submitted. In a lab that is open to all everybody
    /// may; elsewhere its submitter, managers and admins. The nameless share what the nameless submitted.
    #[must_use]
    pub fn may_touch(&self, job: &Job) -> bool {
        let manager = matches!(self.identity.role(), Some(Role::Admin | Role::Manager));
        self.access == Access::Open
            || manager
            || matches!(self.identity, Identity::LocalAdmin)
            || self.identity.client() == job.client.as_ref()
    }

    /// Who is written into the history.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match (&self.identity, &self.agent) {
            (Identity::LocalAdmin, _) => Actor::LocalAdmin,
            (_, Some(agent)) => Actor::Agent(agent.clone()),
            (Identity::Client(permissions), None) => Actor::Client(permissions.client.clone()),
            (Identity::Anonymous, None) => Actor::Anonymous,
        }
    }
}

/// Adds a change of a job to its history, unless nothing changed.
fn job_changed(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    by: &By,
    jobs: (&Job, &Job),
    why: &str,
) -> Result<(), store::Error> {
    job_changed_by(tx, now, by.actor(), jobs, why)
}

fn job_changed_by(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    actor: Actor,
    (old, new): (&Job, &Job),
    why: &str,
) -> Result<(), store::Error> {
    if old.state == new.state {
        return Ok(());
    }
    let event = Event {
        at: now,
        actor,
        what: "state".to_owned(),
        from: old.state.to_string(),
        to: new.state.to_string(),
        why: why.to_owned(),
    };
    tx.append_history(&Subject::Job(new.id), &event)
}

/// Whoever says by cookie that it is the agent of a job, and names that job, has got it.
pub fn acknowledge(tx: &mut WriteTx<'_>, id: JobId, by: &By) -> Result<(), Error> {
    if let Some(old) = tx.job(id)?.filter(|job| is_news(job, by.agent.as_ref())) {
        let job = Job { acknowledged: true, ..old.clone() };
        tx.update_job(&old, &job)?;
    }
    Ok(())
}

/// Whether a request of this agent about a job shows for the first time that the agent got the job.
#[must_use]
pub fn is_news(job: &Job, agent: Option<&AgentName>) -> bool {
    agent.is_some() && job.agent.as_ref() == agent && !job.acknowledged
}
