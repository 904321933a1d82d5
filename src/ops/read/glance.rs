//! What people see of jobs in lists: the newest first, and what is worth knowing of each at a glance.

use std::time::Duration;

use serde::Deserialize;

use super::super::Error;
use super::Page;
use crate::domain::member::status_of;
use crate::domain::{ClientId, Job, JobId, JobState, Phase, QueueName, Tag};
use crate::store::{JobReads, JobsOf, Member, ResultReads};

/// About how many jobs are looked at for one page of a list at most. What is filtered without an index may lie further back;
/// the next page then looks on.
pub const LOOKED_AT: usize = 2000;
/// Bodies above this many bytes are not parsed for a list.
const SMALL_BODY: usize = 64 << 10;

/// A job as a list shows it.
#[derive(Clone, Debug)]
pub struct JobGlance {
    /// The job.
    pub job: Job,
    /// What its submitter calls it; empty if that is not known.
    pub name: String,
    /// The first phase that failed, and its exit code.
    pub failed: Option<(Phase, i64)>,
    /// How long it may run.
    pub limit: Option<Duration>,
}

/// What a body says that lists show.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Head {
    name: Option<String>,
    global_timeout: Option<u64>,
}

impl JobGlance {
    /// A job with what is to be seen of it.
    pub fn of(tx: &(impl JobReads + ResultReads), job: Job) -> Result<Self, Error> {
        let body = tx.job_body_within(job.id, SMALL_BODY)?;
        let head: Head = body.and_then(|body| serde_json::from_str(&body).ok()).unwrap_or_default();
        let failed = if job.state.is_waiting() { None } else { failure(tx, job.id)? };
        Ok(Self {
            job,
            name: head.name.unwrap_or_default(),
            failed,
            limit: head.global_timeout.map(Duration::from_secs),
        })
    }
}

/// The first phase of a job that failed, and its exit code.
fn failure(tx: &impl ResultReads, id: JobId) -> Result<Option<(Phase, i64)>, Error> {
    for phase in Phase::ALL {
        if let Some(code) = exit_code(tx, id, phase)?.filter(|code| *code != 0) {
            return Ok(Some((phase, code)));
        }
    }
    Ok(None)
}

/// How a phase of a job ended, if it has.
fn exit_code(tx: &impl ResultReads, id: JobId, phase: Phase) -> Result<Option<i64>, Error> {
    Ok(match tx.result_member(id, &status_of(phase))? {
        Some(Member::Inline(json)) => json.parse().ok(),
        _ => None,
    })
}

/// Where jobs of a list stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Anywhere.
    #[default]
    Any,
    /// In their queue.
    Waiting,
    /// With an agent.
    Active,
    /// Ended, and no phase failed.
    Passed,
    /// Ended, and a phase failed.
    Failed,
    /// Ended before their time.
    Cancelled,
}

/// Which jobs a list has.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// Where they stand.
    pub stage: Stage,
    /// Their queue.
    pub queue: Option<QueueName>,
    /// One of their tags.
    pub tag: Option<Tag>,
    /// Who submitted them.
    pub client: Option<ClientId>,
    /// Text in their id, name, queue, tags, agent or submitter, in lower case.
    pub text: String,
}

impl JobFilter {
    /// The next `limit` jobs before the one with `seq` `before`, newest first.
    pub fn page(
        &self,
        tx: &(impl JobReads + ResultReads),
        before: Option<u64>,
        limit: usize,
    ) -> Result<Page<JobGlance, u64>, Error> {
        let words = self.words(tx)?;
        let of = match (&self.client, &self.queue, &self.tag, &words) {
            (Some(client), ..) => JobsOf::Client(client),
            (_, Some(queue), ..) => JobsOf::Queue(queue),
            (_, _, Some(tag), _) => JobsOf::Tag(tag),
            (.., Some(words)) => JobsOf::States(words),
            _ => JobsOf::All,
        };
        let (mut items, mut looked, mut before) = (Vec::new(), 0, before);
        loop {
            let rows = tx.newest_jobs(&of, before, limit)?;
            let is_last = rows.len() < limit;
            for row in rows {
                looked += 1;
                before = Some(row.seq);
                let Some(job) = tx.job(row.id)?.filter(|job| self.has(job, words.as_deref()))
                else {
                    continue;
                };
                let glance = JobGlance::of(tx, job)?;
                if self.shows(&glance) {
                    items.push(glance);
                }
                if items.len() == limit {
                    return Ok(Page { items, next: before });
                }
            }
            if is_last {
                return Ok(Page { items, next: None });
            }
            if looked >= LOOKED_AT {
                return Ok(Page { items, next: before });
            }
        }
    }

    /// The words of the states that are asked for; `None` for all.
    fn words(&self, tx: &impl JobReads) -> Result<Option<Vec<String>>, Error> {
        let of = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
        Ok(match self.stage {
            Stage::Any => None,
            Stage::Waiting => of(&[JobState::WAITING]),
            Stage::Cancelled => of(&[JobState::CANCELLED]),
            Stage::Passed | Stage::Failed => of(&[JobState::COMPLETE, JobState::COMPLETED]),
            Stage::Active => {
                let mut words = tx.job_states()?;
                words.retain(|word| word != JobState::WAITING && !JobState::is_finished_word(word));
                Some(words)
            }
        })
    }

    /// What can be told from the job alone.
    fn has(&self, job: &Job, words: Option<&[String]>) -> bool {
        words.is_none_or(|words| words.iter().any(|word| word == job.state.as_str()))
            && self.queue.as_ref().is_none_or(|queue| job.queue == *queue)
            && self.tag.as_ref().is_none_or(|tag| job.tags.contains(tag))
            && (self.client.is_none() || job.client == self.client)
    }

    fn shows(&self, glance: &JobGlance) -> bool {
        let JobGlance { job, name, failed, .. } = glance;
        let stage = match self.stage {
            Stage::Passed => failed.is_none(),
            Stage::Failed => failed.is_some(),
            _ => true,
        };
        let has_text = |text: &str| text.to_lowercase().contains(&self.text);
        stage
            && (self.text.is_empty()
                || job.id.to_string().contains(&self.text)
                || has_text(name)
                || has_text(job.queue.as_str())
                || job.tags.iter().any(|tag| has_text(tag.as_str()))
                || job.agent.as_ref().is_some_and(|agent| has_text(agent.as_str()))
                || job.client.as_ref().is_some_and(|client| has_text(client.as_str())))
    }
}
