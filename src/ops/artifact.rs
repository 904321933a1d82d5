//! Files arrive: artifacts of a test, attachments for one.

use super::{By, Error, change_job, may_steer};
use crate::domain::{Attachments, Blob, BlobKind, Job, JobId, Timestamp};
use crate::store::{ClientReads, JobReads, WriteTx};

/// Gives a job its artifact; the newest wins. The job need not exist.
pub fn put_artifact(tx: &mut WriteTx<'_>, id: JobId, blob: &Blob, by: &By) -> Result<(), Error> {
    let id = super::place_of(tx, id, by)?;
    super::acknowledge(tx, id, by)?;
    Ok(tx.put_blob(id, BlobKind::Artifact, blob)?)
}

/// The job that waits for an archive of attachments; asked before the archive is received, and again when it is there.
///
/// # Errors
/// [`Error::NotWaiting`]; [`Error::NotYours`], because whoever supplies the attachments decides what the job does;
/// [`Error::NoAttachments`].
pub fn awaiting_attachments(
    tx: &(impl JobReads + ClientReads),
    id: JobId,
    by: &By,
) -> Result<Job, Error> {
    let waiting = tx.job(id)?.filter(|job| job.state.is_waiting());
    let job = waiting.ok_or(Error::NotWaiting(id))?;
    if !may_steer(tx, &job, by)? {
        return Err(Error::NotYours);
    }
    if job.attachments == Attachments::None { Err(Error::NoAttachments(id)) } else { Ok(job) }
}

/// Gives a waiting job the archive that it waits for, so that it can be claimed. Says whether the archive was taken:
/// a second one is not.
///
/// # Errors
/// [`Error::NotWaiting`], [`Error::NotYours`], [`Error::NoAttachments`].
pub fn put_attachments(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    id: JobId,
    blob: &Blob,
    by: &By,
) -> Result<bool, Error> {
    let old = awaiting_attachments(tx, id, by)?;
    if old.attachments == Attachments::Complete {
        return Ok(false);
    }
    tx.put_blob(id, BlobKind::Attachments, blob)?;
    change_job(tx, now, &by.actor(), (&old, &old.with_attachments()), "")?;
    Ok(true)
}
