//! The stored shape of a job.

use serde::{Deserialize, Serialize};

use crate::domain::{
    AgentName, Attachments, ClientId, EndedBy, Job, JobId, JobState, QueueName, Tag, Timestamp,
    Tried,
};
use crate::store::engine::Error;
use crate::store::engine::codec::{Record, first_version};

/// The mutable part of a job; its id is the key, its body stands in a table of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct JobV1 {
    seq: u64,
    queue: String,
    priority: i64,
    state: String,
    attachments: u8,
    ended_by: u8,
    attempt: u32,
    created_at: i64,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    agent: Option<String>,
    acknowledged: bool,
    suspect_since: Option<i64>,
    queue_until: Option<i64>,
    client: Option<String>,
    pinned: bool,
    secrets: bool,
    tags: Vec<String>,
    exclude_agents: Vec<String>,
}
first_version!(JobV1, 1);

/// What a job has since jobs may be left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct JobV2 {
    job: JobV1,
    left_since: Option<i64>,
}

impl Record for JobV2 {
    const TAG: u8 = JobV1::TAG;
    const VERSION: u8 = 2;
    type Previous = JobV1;

    fn upgrade(job: JobV1) -> Self {
        Self { job, left_since: None }
    }
}

/// What a job has since it may go to another agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct JobV3 {
    job: JobV2,
    retries: u32,
    tried: Vec<TriedV1>,
}

/// A try that failed in provisioning; a part of [`JobV3`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct TriedV1 {
    agent: String,
    started_at: i64,
    ended_at: i64,
    exit_code: i64,
    kept: [u8; 16],
    log_ends: [i64; 2],
}

impl Record for JobV3 {
    const TAG: u8 = JobV1::TAG;
    const VERSION: u8 = 3;
    type Previous = JobV2;

    fn upgrade(job: JobV2) -> Self {
        Self { job, retries: 0, tried: Vec::new() }
    }
}

impl From<&Job> for JobV3 {
    fn from(job: &Job) -> Self {
        let tried = job.tried.iter().map(|tried| TriedV1 {
            agent: tried.agent.to_string(),
            started_at: tried.started_at.as_micros(),
            ended_at: tried.ended_at.as_micros(),
            exit_code: tried.exit_code,
            kept: *tried.kept.as_bytes(),
            log_ends: tried.log_ends,
        });
        Self { job: JobV2::from(job), retries: job.retries, tried: tried.collect() }
    }
}

impl JobV3 {
    pub(crate) fn into_job(self, id: JobId) -> Result<Job, Error> {
        let tried = self.tried.into_iter().map(|tried| Tried {
            agent: AgentName::trusted(tried.agent),
            started_at: Timestamp::from_micros(tried.started_at),
            ended_at: Timestamp::from_micros(tried.ended_at),
            exit_code: tried.exit_code,
            kept: JobId::from_bytes(tried.kept),
            log_ends: tried.log_ends,
        });
        Ok(Job { retries: self.retries, tried: tried.collect(), ..self.job.into_job(id)? })
    }
}

impl From<&Job> for JobV2 {
    fn from(job: &Job) -> Self {
        let left_since = job.left_since.map(Timestamp::as_micros);
        Self { job: JobV1::from(job), left_since }
    }
}

impl JobV2 {
    fn into_job(self, id: JobId) -> Result<Job, Error> {
        let left_since = self.left_since.map(Timestamp::from_micros);
        Ok(Job { left_since, ..self.job.into_job(id)? })
    }
}

impl From<&Job> for JobV1 {
    fn from(job: &Job) -> Self {
        let micros = |moment: Option<Timestamp>| moment.map(Timestamp::as_micros);
        Self {
            seq: job.seq,
            queue: job.queue.as_str().to_owned(),
            priority: job.priority,
            state: job.state.as_str().to_owned(),
            attachments: match job.attachments {
                Attachments::None => 0,
                Attachments::Awaited => 1,
                Attachments::Complete => 2,
            },
            ended_by: match job.ended_by {
                None => 0,
                Some(EndedBy::Agent) => 1,
                Some(EndedBy::Person) => 2,
                Some(EndedBy::Server) => 3,
            },
            attempt: job.attempt,
            created_at: job.created_at.as_micros(),
            started_at: micros(job.started_at),
            finished_at: micros(job.finished_at),
            agent: job.agent.as_ref().map(ToString::to_string),
            acknowledged: job.acknowledged,
            suspect_since: micros(job.suspect_since),
            queue_until: micros(job.queue_until),
            client: job.client.as_ref().map(ToString::to_string),
            pinned: job.pinned,
            secrets: job.secrets,
            tags: job.tags.iter().map(ToString::to_string).collect(),
            exclude_agents: job.exclude_agents.iter().map(ToString::to_string).collect(),
        }
    }
}

impl JobV1 {
    fn into_job(self, id: JobId) -> Result<Job, Error> {
        let moment = |micros: Option<i64>| micros.map(Timestamp::from_micros);
        let unknown = |what: &str, code: u8| Error::Corrupt(format!("job {id}: {what} {code}"));
        Ok(Job {
            id,
            seq: self.seq,
            queue: QueueName::trusted(self.queue),
            priority: self.priority,
            state: JobState::new(&self.state),
            attachments: match self.attachments {
                0 => Attachments::None,
                1 => Attachments::Awaited,
                2 => Attachments::Complete,
                code => return Err(unknown("attachments", code)),
            },
            ended_by: match self.ended_by {
                0 => None,
                1 => Some(EndedBy::Agent),
                2 => Some(EndedBy::Person),
                3 => Some(EndedBy::Server),
                code => return Err(unknown("ended by", code)),
            },
            attempt: self.attempt,
            created_at: Timestamp::from_micros(self.created_at),
            started_at: moment(self.started_at),
            finished_at: moment(self.finished_at),
            agent: self.agent.map(AgentName::trusted),
            acknowledged: self.acknowledged,
            suspect_since: moment(self.suspect_since),
            left_since: None,
            queue_until: moment(self.queue_until),
            client: self.client.map(ClientId::trusted),
            pinned: self.pinned,
            secrets: self.secrets,
            tags: self.tags.into_iter().map(Tag::trusted).collect(),
            exclude_agents: self.exclude_agents.into_iter().map(AgentName::trusted).collect(),
            retries: 0,
            tried: Vec::new(),
        })
    }
}
