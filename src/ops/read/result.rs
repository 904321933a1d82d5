//! What is known of a job's result.

use std::collections::BTreeMap;
use std::ops::Range;

use sha2::{Digest, Sha256};

use super::super::{By, Error};
use crate::domain::member::{is_log, log_of, phase_of_status};
use crate::domain::{AgentName, FragmentRow, Job, JobId, JobState, Log, LogKind, Phase};
use crate::store::{JobReads, LogReads, Member, ResultReads};

/// The value of one member of a result.
#[derive(Clone, Debug)]
pub enum MemberView {
    /// What was posted.
    Posted(Member),
    /// The state of the job.
    State(JobState),
    /// The agent that has or had the job.
    Agent(AgentName),
    /// A log that was posted in fragments.
    Fragments(Log, Phase, Vec<FragmentRow>),
}

/// What is known of a job's result: what was posted, its logs, and the state of the job.
#[derive(Clone, Debug, Default)]
pub struct ResultView {
    /// The members by name; empty when nothing is known.
    pub members: BTreeMap<String, MemberView>,
    /// The caller is the job's agent and had not acknowledged it: this look does.
    pub acknowledges: bool,
}

/// What `by` may see of a job's result. An agent asks only for the state, every ten seconds, so it gets no logs.
pub fn result(
    tx: &(impl JobReads + LogReads + ResultReads),
    id: JobId,
    by: &By,
) -> Result<ResultView, Error> {
    let mut members = posted(tx, id)?;
    let job = tx.job(id)?;
    if by.agent.is_some() {
        members.retain(|name, _| !is_log(name));
    } else {
        let begins = |kind| job.as_ref().map_or(i64::MIN, |job| job.log_begins(kind));
        add_fragments(tx, id, |kind| begins(kind)..i64::MAX, &mut members)?;
    }
    if let Some(agent) = job.as_ref().and_then(|job| job.agent.as_ref()) {
        members.insert("agent_id".to_owned(), MemberView::Agent(agent.clone()));
    }
    Ok(with_state(job, by, members))
}

/// What came out of an earlier try of a job, and the id under which it is kept.
#[derive(Clone, Debug)]
pub struct TriedView {
    /// The id that its posted members and its artifact have.
    pub kept: JobId,
    /// The result.
    pub result: ResultView,
}

/// What came out of the try of a job with this number, from 1; `None` when that is not one of those that failed.
pub fn tried(
    tx: &(impl JobReads + LogReads + ResultReads),
    id: JobId,
    number: u32,
) -> Result<Option<TriedView>, Error> {
    let (Some(job), Some(index)) = (tx.job(id)?, index_of(number)) else { return Ok(None) };
    let Some(tried) = job.tried.get(index) else { return Ok(None) };
    let mut members = posted(tx, tried.kept)?;
    let range = |kind| fragments_of(&job, kind, index).unwrap_or(0..0);
    add_fragments(tx, id, range, &mut members)?;
    members.insert("agent_id".to_owned(), MemberView::Agent(tried.agent.clone()));
    let state = JobState::new(JobState::COMPLETE);
    members.insert(STATE.to_owned(), MemberView::State(state));
    let result = ResultView { members, acknowledges: false };
    Ok(Some(TriedView { kept: tried.kept, result }))
}

/// The numbers of the fragments of an earlier try of a job in one of its logs.
fn fragments_of(job: &Job, kind: LogKind, index: usize) -> Option<Range<i64>> {
    let end = |index: usize| Some(job.tried.get(index)?.log_ends[kind as usize]);
    let begin = index.checked_sub(1).and_then(end).unwrap_or(i64::MIN);
    Some(begin..end(index)?)
}

/// The place of the try with this number among those of a job.
fn index_of(number: u32) -> Option<usize> {
    usize::try_from(number).ok()?.checked_sub(1)
}

/// The numbers of the fragments of the try with this number, from 1; none when that is not one of those that failed.
pub fn log_of_try(tx: &impl JobReads, log: Log, number: u32) -> Result<Range<i64>, Error> {
    let found = tx.job(log.0)?.zip(index_of(number));
    Ok(found.and_then(|(job, index)| fragments_of(&job, log.1, index)).unwrap_or(0..0))
}

/// The id under which the try with this number, from 1, is kept; `None` when that is not one of those that failed.
pub fn kept_of_try(tx: &impl JobReads, id: JobId, number: u32) -> Result<Option<JobId>, Error> {
    let found = tx.job(id)?.zip(index_of(number));
    Ok(found.and_then(|(job, index)| job.tried.get(index).map(|tried| tried.kept)))
}

/// The state of a job and the exit codes of its phases, whoever asks.
pub fn status(tx: &(impl JobReads + ResultReads), id: JobId, by: &By) -> Result<ResultView, Error> {
    let mut members = posted(tx, id)?;
    members.retain(|name, _| phase_of_status(name).is_some() || name == STATE);
    Ok(with_state(tx.job(id)?, by, members))
}

/// The member with the state of the job.
const STATE: &str = "job_state";

fn posted(tx: &impl ResultReads, id: JobId) -> Result<BTreeMap<String, MemberView>, Error> {
    let posted = tx.result(id)?.into_iter();
    Ok(posted.map(|(name, member)| (name, MemberView::Posted(member))).collect())
}

fn with_state(job: Option<Job>, by: &By, mut members: BTreeMap<String, MemberView>) -> ResultView {
    let acknowledges = job.as_ref().is_some_and(|job| job.is_news_from(by.agent.as_ref()));
    if let Some(job) = job {
        members.insert(STATE.to_owned(), MemberView::State(job.state));
    }
    ResultView { members, acknowledges }
}

/// Adds the logs that were posted in fragments; a log that was posted whole wins.
fn add_fragments(
    tx: &impl LogReads,
    id: JobId,
    of: impl Fn(LogKind) -> Range<i64>,
    members: &mut BTreeMap<String, MemberView>,
) -> Result<(), Error> {
    for kind in LogKind::ALL {
        let (log, of) = (Log(id, kind), of(kind));
        if tx.log_written(log)?.is_none() {
            continue;
        }
        for phase in Phase::ALL {
            let name = log_of(phase, kind);
            if members.contains_key(&name) {
                continue;
            }
            let mut rows = tx.fragments(log, phase, of.start, None)?;
            rows.retain(|row| row.number < of.end);
            if !rows.is_empty() {
                members.insert(name, MemberView::Fragments(log, phase, rows));
            }
        }
    }
    Ok(())
}

/// The `n`-th piece of the JSON text of a large member, from 0; `None` when the result was posted anew meanwhile.
pub fn result_chunk(
    tx: &impl ResultReads,
    id: JobId,
    member: &str,
    n: u64,
) -> Result<Option<Vec<u8>>, Error> {
    Ok(tx.result_chunk(id, member, n)?)
}

impl ResultView {
    /// Changes whenever the members do, and is made without reading a log: whoever asks again and again whether something
    /// has changed costs next to nothing.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let text = |hash: &mut Sha256, text: &str| {
            hash.update(text.len().to_be_bytes());
            hash.update(text);
        };
        for (name, member) in &self.members {
            text(&mut hash, name);
            match member {
                MemberView::Posted(Member::Inline(json)) => text(&mut hash, json),
                MemberView::State(state) => text(&mut hash, state.as_str()),
                MemberView::Agent(agent) => text(&mut hash, agent.as_str()),
                MemberView::Posted(Member::Chunked { count, version }) => {
                    hash.update(count.to_be_bytes());
                    hash.update(version.to_be_bytes());
                }
                // The text of a fragment never changes.
                MemberView::Fragments(_, _, rows) => {
                    for row in rows {
                        hash.update(row.number.to_be_bytes());
                        hash.update(row.size.to_be_bytes());
                    }
                }
            }
        }
        hash.finalize().into()
    }
}
