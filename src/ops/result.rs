//! An agent reports.

use std::collections::BTreeMap;

use super::{By, Error, change_job};
use crate::domain::{JobId, JobState, Timestamp};
use crate::store::{JobReads, WriteTx};

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
/// server ended may still be completed by its agent. A result for an id that no job has is kept as it was posted.
pub fn post_result(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    id: JobId,
    posted: &Posted,
    by: &By,
) -> Result<(), Error> {
    let id = super::place_of(tx, id, by)?;
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
    if job != old {
        change_job(tx, now, &by.actor(), (&old, &job), "")?;
    }
    Ok(())
}
