//! What the product does: one use case, one synchronous function, one transaction.
//!
//! A function takes the transaction, the time and what is asked, and decides before its first write. Nothing here knows
//! of HTTP or threads; [`Error`] says what went wrong in the words of the field, and `http` alone turns it into a status.

mod agent;
mod artifact;
mod cancel;
mod claim;
mod queue;
mod result;
mod search;
mod submit;

pub use agent::{post_agent, post_provision};
pub use artifact::{awaiting_attachments, put_artifact, put_attachments};
pub use cancel::cancel;
pub use claim::{Claimed, claim};
pub use queue::{QueueKnown, advertise, advertised_images, queue_known};
pub use result::{Posted, post_result};
pub use search::{Match, Search};
pub use submit::{Submission, submit};

use crate::domain::{AgentName, JobId, Timestamp};
use crate::store::{self, Actor, Event, Job, Subject, WriteTx};

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such job.
    #[error("Job not found")]
    NoJob,
    /// The id that a client gave for its job is no UUID.
    #[error("Invalid job_id specified")]
    BadJobId,
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
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Who asks, as far as a use case cares.
#[derive(Clone, Debug)]
pub struct By {
    /// Who is written into the history.
    pub actor: Actor,
    /// The agent that the caller says it is.
    pub agent: Option<AgentName>,
}

/// Adds a change of a job to its history, unless nothing changed.
fn job_changed(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    actor: &Actor,
    (old, new): (&Job, &Job),
    why: &str,
) -> Result<(), store::Error> {
    if old.state == new.state {
        return Ok(());
    }
    let event = Event {
        at: now,
        actor: actor.clone(),
        what: "state".to_owned(),
        from: old.state.to_string(),
        to: new.state.to_string(),
        why: why.to_owned(),
    };
    tx.append_history(&Subject::Job(new.id), &event)
}
