//! Retention removes what is old enough, unless the clock cannot be believed.

use std::time::Duration;

use super::{Error, Page};
use crate::domain::Timestamp;
use crate::store::{Ages, Due, DueAfter, DueReads, Freed, Swept, WriteTx};

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
    if let Some(last) = held_since(tx, now)? {
        return Ok(Sweep::Held { last });
    }
    if tx.last_sweep()?.is_none_or(|last| now.since(last) >= NOTED) {
        tx.set_last_sweep(now)?;
    }
    Ok(Sweep::Done(tx.sweep(ages, now, limit)?))
}

/// When the last sweep was, while nothing is removed because the clock jumped ahead since then.
pub fn held_since(tx: &impl DueReads, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    Ok(tx.last_sweep()?.filter(|last| now.since(*last) > BELIEVED))
}

/// Removes the oldest files of jobs that have ended and are not pinned until they have `needed` bytes. Looks at up to
/// `limit` files from `after` on.
pub fn free_files(
    tx: &mut WriteTx<'_>,
    needed: u64,
    after: Option<&DueAfter>,
    limit: usize,
) -> Result<Freed, Error> {
    Ok(tx.free_files(needed, after, limit)?)
}

/// Why retention removes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is older than its class may get.
    Age,
    /// Too little of the disk is free.
    Room,
}

/// Where a list of what would go goes on.
#[derive(Clone, Debug)]
pub struct GoingAfter {
    why: Why,
    after: Option<DueAfter>,
    /// Bytes that must still become free.
    needed: u64,
}

/// What retention would remove now: first what is too old, then the oldest files until `needed` bytes become free.
pub fn going(
    tx: &impl DueReads,
    now: Timestamp,
    (ages, needed): (&Ages, u64),
    after: Option<GoingAfter>,
    limit: usize,
) -> Result<Page<(Due, Why), GoingAfter>, Error> {
    let GoingAfter { why, after, mut needed } =
        after.unwrap_or(GoingAfter { why: Why::Age, after: None, needed });
    let (found, next) = match why {
        Why::Age => tx.due_after(ages, now, after.as_ref(), limit)?,
        Why::Room if needed == 0 => (Vec::new(), None),
        Why::Room => tx.spare_files(ages, now, after.as_ref(), limit)?,
    };
    let mut items = Vec::new();
    for due in found {
        if why == Why::Age || needed > 0 {
            needed = needed.saturating_sub(due.bytes);
            items.push((due, why));
        }
    }
    let next = match (why, next) {
        (why, Some(after)) => Some(GoingAfter { why, after: Some(after), needed }),
        (Why::Age, None) => Some(GoingAfter { why: Why::Room, after: None, needed }),
        (Why::Room, None) => None,
    };
    Ok(Page { items, next })
}

/// Takes the clock as right, so that the next sweep goes on from here.
pub fn confirm_clock(tx: &mut WriteTx<'_>, now: Timestamp) -> Result<(), Error> {
    Ok(tx.set_last_sweep(now)?)
}
