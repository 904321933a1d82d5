//! A log grows.

use std::collections::BTreeMap;

use super::{By, Error};
use crate::domain::member::{is_log, log_of};
use crate::domain::{Fragment, JobId, Log, LogKind, Phase, Timestamp};
use crate::store::{JobReads, LogReads, ResultReads, WriteTx};

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
    let Some(job) = tx.job(id)? else {
        tx.expire_result(id, now)?;
        return Ok(tx.append_log(log, fragment, now)?);
    };
    super::acknowledge(tx, id, by)?;
    // Each agent counts from 0, and readers go on behind the last number that they have seen.
    let number = fragment.number.map(|number| number.saturating_add(job.log_begins(log.1).max(0)));
    Ok(tx.append_log(log, &Fragment { number, ..fragment.clone() }, now)?)
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

/// Adds a line of this server's own to a job's output, for whoever reads that.
pub(super) fn write_line(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    id: JobId,
    phase: Phase,
    line: &str,
) -> Result<(), Error> {
    let text = format!("{SERVER}{line}\n");
    let fragment = Fragment { number: None, phase, at: now, text };
    Ok(tx.append_log(Log(id, LogKind::Output), &fragment, now)?)
}

/// How a line of this server's own begins.
pub(super) const SERVER: &str = "\ntestflinger-server: ";

/// Moves text that stands under a wrong phase to the later phase whose posted output holds it. Text that says no phase
/// follows the last state that was posted, and agents of 2025 post no state for their cleanup: only their final result
/// says which phase printed what.
pub(super) fn settle(
    tx: &mut WriteTx<'_>,
    id: JobId,
    posted: &BTreeMap<String, String>,
) -> Result<(), Error> {
    if !posted.keys().any(|name| is_log(name)) {
        return Ok(());
    }
    let (known, job) = (tx.result(id)?, tx.job(id)?);
    for (kind, phase) in LogKind::ALL.into_iter().flat_map(|kind| Phase::ALL.map(|p| (kind, p))) {
        if known.contains_key(&log_of(phase, kind)) {
            continue;
        }
        let log = Log(id, kind);
        let from = job.as_ref().map_or(i64::MIN, |job| job.log_begins(kind));
        let rows = tx.fragments(log, phase, from, None)?;
        let size: usize = rows.iter().map(|row| row.size).sum();
        let later = Phase::ALL.into_iter().filter(|later| *later > phase);
        let outputs = later.filter_map(|later| Some((later, posted.get(&log_of(later, kind))?)));
        // A text that is longer than the outputs is not read.
        let outputs: Vec<_> = outputs.filter(|(_, json)| size > 0 && json.len() > size).collect();
        if outputs.is_empty() {
            continue;
        }
        let text = tx.fragment_texts(log, phase, &rows)?;
        let holds = |json: &str| {
            serde_json::from_str(json).is_ok_and(|output: String| output.contains(&text))
        };
        if let Some((home, _)) = outputs.iter().rev().find(|(_, json)| holds(json)) {
            tx.move_fragments(log, (phase, *home), &rows)?;
        }
    }
    Ok(())
}

/// Forgets the pieces of a log up to and including this number, because somebody has read them.
pub fn forget_read(tx: &mut WriteTx<'_>, log: Log, up_to: u64) -> Result<(), Error> {
    Ok(tx.forget_drained(log, up_to)?)
}
