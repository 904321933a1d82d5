//! A person ends a job.

use super::{By, Error, change_job, may_steer};
use crate::domain::{EndedBy, JobId, Timestamp};
use crate::store::{JobReads, WriteTx};

/// Cancels a job that has not ended, whether it waits or runs; its agent sees the state at its next look.
///
/// # Errors
/// [`Error::NoJob`], [`Error::NotYours`], [`Error::JobFinished`].
pub fn cancel(tx: &mut WriteTx<'_>, now: Timestamp, id: JobId, by: &By) -> Result<(), Error> {
    let old = tx.job(id)?.ok_or(Error::NoJob)?;
    if !may_steer(tx, &old, by)? {
        return Err(Error::NotYours);
    }
    if old.state.is_finished() {
        return Err(Error::JobFinished);
    }
    let job = old.ended(EndedBy::Person, now);
    change_job(tx, now, &by.actor(), (&old, &job), "")?;
    Ok(())
}
