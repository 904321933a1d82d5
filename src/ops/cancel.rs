//! A person ends a job.

use super::{By, Error, job_changed};
use crate::domain::{EndedBy, Job, JobId, JobState, Timestamp};
use crate::store::{JobReads, WriteTx};

/// Cancels a job that has not ended, whether it waits or runs; its agent sees the state at its next look.
///
/// # Errors
/// [`Error::NoJob`], [`Error::NotYours`], [`Error::JobFinished`].
pub fn cancel(tx: &mut WriteTx<'_>, now: Timestamp, id: JobId, by: &By) -> Result<(), Error> {
    let old = tx.job(id)?.ok_or(Error::NoJob)?;
    if !by.may_touch(&old) {
        return Err(Error::NotYours);
    }
    if old.state.is_finished() {
        return Err(Error::JobFinished);
    }
    let job = Job {
        state: JobState::new(JobState::CANCELLED),
        ended_by: Some(EndedBy::Person),
        finished_at: Some(now),
        ..old.clone()
    };
    tx.update_job(&old, &job)?;
    job_changed(tx, now, by, (&old, &job), "")?;
    Ok(())
}
