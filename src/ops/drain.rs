//! A server that is drained hands out no jobs, so that after a while nothing runs on it and it can be stopped.

use super::Error;
use crate::domain::{JobState, Timestamp};
use crate::store::{JobReads, RuleReads, WriteTx};

/// Whether the server is drained, and how far that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// Since when it is; `None` while jobs are handed out.
    pub since: Option<Timestamp>,
    /// How many jobs agents still have.
    pub running: usize,
}

/// Hands out no job from now on, over restarts too, until [`resume`]. What runs goes on, and its results are taken.
pub fn drain(tx: &mut WriteTx<'_>, now: Timestamp) -> Result<Drain, Error> {
    if tx.drained_since()?.is_none() {
        tx.set_drained(Some(now))?;
    }
    drained(tx)
}

/// Hands out jobs again, first to the requests that are held.
pub fn resume(tx: &mut WriteTx<'_>) -> Result<Drain, Error> {
    if tx.drained_since()?.is_some() {
        tx.set_drained(None)?;
        tx.offer_waiting()?;
    }
    drained(tx)
}

/// Whether the server is drained, and how far that is. Reads an index row of each job that runs.
pub fn drained(tx: &(impl JobReads + RuleReads)) -> Result<Drain, Error> {
    let mut running = 0;
    for word in tx.job_states()? {
        if word != JobState::WAITING && !JobState::is_finished_word(&word) {
            running += tx.count_in_state(&word)?;
        }
    }
    Ok(Drain { since: tx.drained_since()?, running })
}
