//! Somebody keeps a job from retention.

use super::{By, Error, change_job};
use crate::domain::{JobId, Timestamp};
use crate::store::{JobReads, WriteTx};

/// Pins a job, so that retention keeps it whatever its age, or unpins it. Says nothing when it was so before.
///
/// # Errors
/// [`Error::NoJob`], [`Error::NotYours`].
pub fn pin(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    id: JobId,
    pinned: bool,
    by: &By,
) -> Result<(), Error> {
    let old = tx.job(id)?.ok_or(Error::NoJob)?;
    if !by.may_touch(&old) {
        return Err(Error::NotYours);
    }
    if old.pinned == pinned {
        return Ok(());
    }
    change_job(tx, now, &by.actor(), (&old, &old.with_pin(pinned)), "")?;
    if !pinned {
        tx.age_again(&old)?;
    }
    Ok(())
}
