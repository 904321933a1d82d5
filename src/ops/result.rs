//! An agent reports.

use std::collections::BTreeMap;

use super::retry::{self, Next};
use super::{By, Error, change_job, lease, log, write_down, write_line};
use crate::domain::member::status_of;
use crate::domain::{Change, EndedBy, JobId, JobState, Phase, Subject, Timestamp};
use crate::store::{JobReads, Member, ResultReads, WriteTx};

/// What was posted as a result.
#[derive(Clone, Debug, Default)]
pub struct Posted {
    /// Members and their JSON text; each replaces the one before.
    pub members: BTreeMap<String, String>,
    /// Members that go when they are not in `members`.
    pub replaced: Vec<String>,
    /// The new state of the job.
    pub state: Option<JobState>,
}

/// Merges a result into what is known of a job.
///
/// Outputs and statuses always merge. The state does not change once the job has ended, except that a job which this
/// server ended may still be completed by its agent, and that a job whose provisioning failed may go to another. A result for an id that no job has is kept as it was posted.
pub fn post_result(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    id: JobId,
    posted: &Posted,
    by: &By,
) -> Result<(), Error> {
    let id = super::place_of(tx, id, by)?;
    let statuses = new_statuses(tx, id, posted)?;
    for member in posted.replaced.iter().filter(|name| !posted.members.contains_key(*name)) {
        tx.remove_result_member(id, member)?;
    }
    for (member, json) in &posted.members {
        tx.put_result(id, member, json)?;
    }
    let Some(old) = tx.job(id)? else {
        tracing::info!(job = %id, "a result was posted for an unknown job");
        if let Some(state) = &posted.state {
            tx.put_result(id, "job_state", &serde_json::json!(state).to_string())?;
        }
        tx.expire_result(id, now)?;
        return Ok(());
    };
    let agent = by.agent.as_ref();
    let mut job = if old.is_news_from(agent) { old.with_acknowledgement() } else { old.clone() };
    if let Some(state) = &posted.state {
        job = job.reported(state, agent, now);
    }
    write_down(tx, now, &by.actor(), &Subject::Job(id), statuses, "")?;
    log::settle(tx, id, &posted.members)?;
    let why = match retry::next(tx, (&old, &job), by)? {
        Next::Again(exit_code) => return retry::again(tx, now, (&old, &job), exit_code),
        Next::End => String::new(),
        Next::EndBecause(why) => {
            let why = format!("provisioning failed and is not tried again: {why}");
            write_line(tx, now, id, Phase::Provision, &why)?;
            why
        }
    };
    if job != old {
        change_job(tx, now, &by.actor(), (&old, &job), &why)?;
        if old.ended_by == Some(EndedBy::Server) {
            lease::take_reason_back(tx, id)?;
        }
    }
    Ok(())
}

/// The exit codes that are posted for the first time or have changed, in the order of the phases. Agents send those that
/// are known again and again.
fn new_statuses(tx: &WriteTx<'_>, id: JobId, posted: &Posted) -> Result<Vec<Change>, Error> {
    let names = Phase::ALL.map(status_of);
    if !names.iter().any(|name| posted.members.contains_key(name)) {
        return Ok(Vec::new());
    }
    let known = tx.result(id)?;
    let change = |name: String| {
        let to = posted.members.get(&name)?;
        let from = match known.get(&name) {
            Some(Member::Inline(from)) => Some(from.clone()),
            _ => None,
        };
        (from.as_ref() != Some(to)).then(|| Change::Member { name, from, to: Some(to.clone()) })
    };
    Ok(names.into_iter().filter_map(change).collect())
}
