//! A log grows.

use super::{By, Error};
use crate::domain::{Fragment, JobId, Log, LogKind, Phase, Timestamp};
use crate::store::{JobReads, WriteTx};

/// Adds a fragment that says its number and phase. The job need not exist.
pub fn append_fragment(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    log: Log,
    fragment: &Fragment,
    by: &By,
) -> Result<(), Error> {
    let id = super::place_of(tx, log.0, by)?;
    let log = Log(id, log.1);
    match tx.job(id)? {
        Some(_) => super::acknowledge(tx, id, by)?,
        None => tx.expire_result(id, now)?,
    }
    Ok(tx.append_log(log, fragment, now)?)
}

/// Adds text that says neither: it belongs to the phase that the job is in, and gets the next number.
pub fn append_text(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    (id, kind): (JobId, LogKind),
    text: &str,
    by: &By,
) -> Result<(), Error> {
    let phase = tx.job(id)?.and_then(|job| job.state.phase()).unwrap_or(Phase::Setup);
    let fragment = Fragment { number: None, phase, at: now, text: text.to_owned() };
    append_fragment(tx, now, Log(id, kind), &fragment, by)
}

/// Forgets the pieces of a log up to and including this number, because somebody has read them.
pub fn forget_read(tx: &mut WriteTx<'_>, log: Log, up_to: u64) -> Result<(), Error> {
    Ok(tx.forget_drained(log, up_to)?)
}
