//! Retention removes what is old enough.

use super::Error;
use crate::domain::Timestamp;
use crate::store::{Ages, Swept, WriteTx};

/// Removes up to `limit` things of each kind that are older than `ages` allow.
pub fn sweep(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    ages: &Ages,
    limit: usize,
) -> Result<Swept, Error> {
    Ok(tx.sweep(ages, now, limit)?)
}
