//! What can be read of logs: fragments as often as one likes, and text that is read once.

use super::super::Error;
use crate::domain::{FragmentRow, Log, Phase, Timestamp};
use crate::store::LogReads;

/// The fragments of one phase of a log, without their texts.
#[derive(Clone, Debug)]
pub struct PhaseLog {
    /// The phase.
    pub phase: Phase,
    /// Its fragments, in order.
    pub fragments: Vec<FragmentRow>,
}

/// The fragments of these phases from the number `from` on, and with `since` only those written then or later; the phases
/// by name.
pub fn log(
    tx: &impl LogReads,
    log: Log,
    phases: &[Phase],
    from: i64,
    since: Option<Timestamp>,
) -> Result<Vec<PhaseLog>, Error> {
    let mut found = Vec::with_capacity(phases.len());
    for &phase in phases {
        found.push(PhaseLog { phase, fragments: tx.fragments(log, phase, from, since)? });
    }
    found.sort_unstable_by_key(|part| part.phase.as_str());
    Ok(found)
}

/// The texts of these fragments, one after the other.
pub fn fragment_texts(
    tx: &impl LogReads,
    log: Log,
    phase: Phase,
    rows: &[FragmentRow],
) -> Result<String, Error> {
    Ok(tx.fragment_texts(log, phase, rows)?)
}

/// The pieces of a log that nobody has read yet: number and size in bytes, in order.
pub fn unread(tx: &impl LogReads, log: Log) -> Result<Vec<(u64, usize)>, Error> {
    Ok(tx.drain_pieces(log)?)
}

/// The text of such a piece; `None` when somebody has read it meanwhile.
pub fn unread_piece(tx: &impl LogReads, log: Log, number: u64) -> Result<Option<Vec<u8>>, Error> {
    Ok(tx.drain_piece(log, number)?)
}
