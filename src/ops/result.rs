//! An agent reports.

use std::collections::BTreeMap;

use super::{By, Error, is_news, job_changed};
use crate::domain::{EndedBy, Job, JobId, JobState, Timestamp};
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
    let mut job = old.clone();
    job.acknowledged |= is_news(&old, by.agent.as_ref());
    if let Some(state) = posted.state.clone().filter(|state| may_become(&old, state)) {
        if old.state.is_waiting() && by.agent.is_some() && !state.is_waiting() {
            // It had gone back to its queue and its agent runs it all the same: without an owner nobody would notice
            // when that agent falls silent.
            job.agent.clone_from(&by.agent);
            job.acknowledged = true;
            job.started_at = Some(now);
        }
        job.finished_at = state.is_finished().then_some(now);
        job.ended_by = state.is_finished().then_some(EndedBy::Agent);
        job.state = state;
    }
    if job != old {
        tx.update_job(&old, &job)?;
        job_changed(tx, now, by, (&old, &job), "")?;
    }
    Ok(())
}

fn may_become(job: &Job, state: &JobState) -> bool {
    let completed = matches!(state.as_str(), JobState::COMPLETE | JobState::COMPLETED);
    !job.state.is_finished() || (job.ended_by == Some(EndedBy::Server) && completed)
}
