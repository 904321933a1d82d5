//! Retention removes what is old enough, unless the clock cannot be believed.

use std::time::Duration;

use super::Error;
use crate::domain::Timestamp;
use crate::store::{Ages, Swept, WriteTx};

/// The longest step of the clock between two sweeps that is believed: a clock that is wrong by years would make
/// everything old at once.
const BELIEVED: Duration = Duration::from_hours(24);
/// How often the time of a sweep is written down.
const NOTED: Duration = Duration::from_hours(1);

/// What a sweep did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// It removed what was old enough.
    Done(Swept),
    /// Nothing, because the clock jumped ahead. [`confirm_clock`] ends this, and so does a clock that is set back.
    Held {
        /// When the last sweep was.
        last: Timestamp,
    },
}

/// Removes up to `limit` things of each kind that are older than `ages` allow.
pub fn sweep(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    ages: &Ages,
    limit: usize,
) -> Result<Sweep, Error> {
    match tx.last_sweep()? {
        Some(last) if now.since(last) > BELIEVED => return Ok(Sweep::Held { last }),
        Some(last) if now.since(last) < NOTED => {}
        _ => tx.set_last_sweep(now)?,
    }
    Ok(Sweep::Done(tx.sweep(ages, now, limit)?))
}

/// Takes the clock as right, so that the next sweep goes on from here.
pub fn confirm_clock(tx: &mut WriteTx<'_>, now: Timestamp) -> Result<(), Error> {
    Ok(tx.set_last_sweep(now)?)
}
