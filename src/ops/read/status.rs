//! How a job stands: why it waits and for how long yet, how long its reservation lasts, and what has happened to it.

use std::time::Duration;

use serde::Deserialize;

use super::super::{Error, restricted_to};
use crate::domain::wait::{Estimate, Outlook};
use crate::domain::{Agent, AgentName, Attachments, Event, Job, JobId, Phase, Subject, Timestamp};
use crate::store::{AgentReads, ClientReads, HistoryReads, JobReads, Lines, RuleReads, WaitReads};

/// The newest events that are told.
const EVENTS: usize = 100;
/// The agents of a queue that are looked at: with more, what is said of them counts these alone.
const AGENTS: usize = 1000;
/// The agents that are named.
const NAMED: usize = 10;
/// The newest waits that are looked at.
const WAITS: usize = 500;
/// How long a job reserves its device when it does not say so: the agents' own default.
const RESERVATION: Duration = Duration::from_hours(1);

/// How a job stands.
#[derive(Clone, Debug)]
pub struct JobStatus {
    /// The job.
    pub job: Job,
    /// When it came into its state.
    pub since: Timestamp,
    /// Why it waits, if it does.
    pub waiting: Option<Waiting>,
    /// When its reservation ends, if its device is reserved.
    pub reserved_until: Option<Timestamp>,
    /// What has happened to it, oldest first, with the number of each event; the newest [`EVENTS`] alone.
    pub history: Vec<(u64, Event)>,
}

/// Why a job waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// How many jobs of its queue stand before it.
    pub before: u64,
    /// Why it waits.
    pub reason: Reason,
    /// How many of the queue's agents are what.
    pub counts: Counts,
    /// The agents that the reason is about; the first [`NAMED`] alone.
    pub agents: Vec<AgentCondition>,
    /// When it starts, once enough is known of the queue.
    pub estimate: Option<Estimate>,
}

/// Why a job waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The archive of its attachments has not arrived.
    Attachments,
    /// No agent serves its queue.
    NoAgents,
    /// It excludes every agent of its queue.
    Excluded,
    /// The agents of its queue take jobs of their restricted queues alone.
    Restricted,
    /// Every agent that may have it is offline.
    Offline,
    /// Every agent that may have it and is not offline has a job.
    Busy,
    /// An agent is free, and other jobs come first.
    Behind,
    /// It is the next one, and an agent is free.
    Next,
    /// The server hands out no jobs for now.
    Drained,
}

/// How many agents of a queue are what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// They could take a job now.
    pub free: u64,
    /// They have a job.
    pub busy: u64,
    /// They say that they are, or nobody hears them.
    pub offline: u64,
    /// The job excludes them.
    pub excluded: u64,
    /// They serve their restricted queues alone, and the job's is none of these.
    pub restricted: u64,
}

/// What an agent can do for a waiting job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentCondition {
    /// The agent.
    pub name: AgentName,
    /// What it can do.
    pub condition: Condition,
    /// Since when, if that is known.
    pub since: Option<Timestamp>,
    /// What somebody said about its state.
    pub comment: Option<String>,
    /// The job that it has.
    pub job: Option<JobId>,
}

/// What an agent can do for a waiting job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It could take the job now.
    Free,
    /// It has a job.
    Busy,
    /// It says that it takes no jobs.
    Offline,
    /// It was not heard for some time.
    Silent,
    /// The job excludes it.
    Excluded,
    /// It serves its restricted queues alone, and the job's is none of these.
    Restricted,
}

impl Condition {
    /// The word for it, in answers and on pages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Busy => "busy",
            Self::Offline => "offline",
            Self::Silent => "silent",
            Self::Excluded => "excluded",
            Self::Restricted => "restricted",
        }
    }
}

/// When agents were last heard, and after how much silence they count as offline.
pub struct Hearing<F> {
    /// When an agent was last heard.
    pub heard: F,
    /// How long a silence must be.
    pub silence: Duration,
}

impl<F: Fn(&AgentName) -> Timestamp> Hearing<F> {
    /// Since when an agent is silent, if it is.
    pub fn silent_since(&self, agent: &Agent, now: Timestamp) -> Option<Timestamp> {
        let heard = self.heard(agent, now);
        (now.since(heard) > self.silence).then_some(heard)
    }

    /// When an agent last gave a sign of life. What is stored does not count while it lies in the future, because the clock
    /// was set back.
    pub fn heard(&self, agent: &Agent, now: Timestamp) -> Timestamp {
        let heard = (self.heard)(&agent.name);
        if agent.updated_at > now { heard } else { heard.max(agent.updated_at) }
    }
}

/// How a job stands.
///
/// # Errors
/// [`Error::NoJob`].
pub fn job_status(
    tx: &(impl AgentReads + ClientReads + HistoryReads + JobReads + RuleReads + WaitReads),
    lines: &Lines,
    id: JobId,
    now: Timestamp,
    hearing: &Hearing<impl Fn(&AgentName) -> Timestamp>,
) -> Result<JobStatus, Error> {
    let job = tx.job(id)?.ok_or(Error::NoJob)?;
    let history = tx.newest_events(&Subject::Job(id), EVENTS)?;
    let entered = history.iter().rev().find(|(_, event)| event.enters(&job.state));
    let since = entered.map_or(job.created_at, |(_, event)| event.at);
    let waiting =
        job.state.is_waiting().then(|| waiting(tx, lines, &job, now, hearing)).transpose()?;
    let reserved = job.state.phase() == Some(Phase::Reserve);
    let reserved_until = if reserved { Some(since.plus(reservation(tx, id)?)) } else { None };
    Ok(JobStatus { job, since, waiting, reserved_until, history })
}

/// How long a job reserves its device.
fn reservation(tx: &impl JobReads, id: JobId) -> Result<Duration, Error> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Body {
        reserve_data: Option<Reservation>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Reservation {
        timeout: Option<i64>,
    }
    let body = tx.job_body(id)?.unwrap_or_default();
    let body: Body = serde_json::from_str(&body).unwrap_or_default();
    let seconds = body.reserve_data.and_then(|data| data.timeout);
    let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
    Ok(seconds.map_or(RESERVATION, Duration::from_secs))
}

fn waiting(
    tx: &(impl AgentReads + ClientReads + HistoryReads + JobReads + RuleReads + WaitReads),
    lines: &Lines,
    job: &Job,
    now: Timestamp,
    hearing: &Hearing<impl Fn(&AgentName) -> Timestamp>,
) -> Result<Waiting, Error> {
    let before = lines.before(job);
    let (counts, mut agents) = look_around(tx, job, now, hearing)?;
    let drained = tx.drained_since()?.is_some();
    let reason = if drained { Reason::Drained } else { reason(job, before, &counts) };
    agents.retain(|agent| reason.is_about(agent.condition));
    agents.truncate(NAMED);
    for agent in agents.iter_mut().filter(|agent| agent.since.is_none()) {
        let subject = Subject::Agent(agent.name.clone());
        agent.since = tx.changed_at(&subject, "state", EVENTS)?;
    }
    let outlook = Outlook {
        runs: tx.runs(&job.queue)?,
        waits: tx.waits(&job.queue, WAITS)?,
        waited: now.since(job.queued_at()).as_secs(),
        before,
        free: counts.free,
        busy: counts.busy,
    };
    let ready = job.attachments != Attachments::Awaited && !drained;
    let estimate = if ready { outlook.estimate() } else { None };
    Ok(Waiting { before, reason, counts, agents, estimate })
}

/// What the agents of a job's queue can do for it.
fn look_around(
    tx: &(impl AgentReads + ClientReads + JobReads),
    job: &Job,
    now: Timestamp,
    hearing: &Hearing<impl Fn(&AgentName) -> Timestamp>,
) -> Result<(Counts, Vec<AgentCondition>), Error> {
    let (mut counts, mut agents) = (Counts::default(), Vec::new());
    for agent in tx.queue_agents_after(&job.queue, 0, AGENTS)? {
        let found = condition(tx, job, &agent, now, hearing)?;
        let count = match found.condition {
            Condition::Free => &mut counts.free,
            Condition::Busy => &mut counts.busy,
            Condition::Offline | Condition::Silent => &mut counts.offline,
            Condition::Excluded => &mut counts.excluded,
            Condition::Restricted => &mut counts.restricted,
        };
        *count += 1;
        agents.push(found);
    }
    Ok((counts, agents))
}

fn condition(
    tx: &(impl ClientReads + JobReads),
    job: &Job,
    agent: &Agent,
    now: Timestamp,
    hearing: &Hearing<impl Fn(&AgentName) -> Timestamp>,
) -> Result<AgentCondition, Error> {
    let mut since = None;
    let held = tx.held_by(&agent.name)?.first().copied();
    let restrictions = restricted_to(tx, agent)?;
    let condition = if job.excludes(&agent.name) {
        Condition::Excluded
    } else if !restrictions.is_empty() && !restrictions.contains_key(&job.queue) {
        Condition::Restricted
    } else if agent.is_out_of_service() {
        Condition::Offline
    } else if let Some(silent) = hearing.silent_since(agent, now) {
        since = Some(silent);
        Condition::Silent
    } else if held.is_some() || !agent.is_idle() {
        Condition::Busy
    } else {
        Condition::Free
    };
    if let (Condition::Busy, Some(held)) = (condition, held) {
        since = tx.job(held)?.and_then(|held| held.started_at);
    }
    if let (Condition::Offline, Some(aside)) = (condition, &agent.aside) {
        since = Some(aside.since);
    }
    let comment = agent.told_why();
    Ok(AgentCondition { name: agent.name.clone(), condition, since, comment, job: held })
}

fn reason(job: &Job, before: u64, counts: &Counts) -> Reason {
    let Counts { free, busy, offline, excluded, restricted } = *counts;
    match (free, busy, offline) {
        _ if job.attachments == Attachments::Awaited => Reason::Attachments,
        (1.., _, _) if before == 0 => Reason::Next,
        (1.., _, _) => Reason::Behind,
        (0, 1.., _) => Reason::Busy,
        (0, 0, 1..) => Reason::Offline,
        (0, 0, 0) if restricted > 0 => Reason::Restricted,
        (0, 0, 0) if excluded > 0 => Reason::Excluded,
        (0, 0, 0) => Reason::NoAgents,
    }
}

impl Reason {
    /// Whether the reason is about agents in this condition.
    fn is_about(self, condition: Condition) -> bool {
        match self {
            Self::Attachments | Self::NoAgents | Self::Drained => false,
            Self::Excluded => condition == Condition::Excluded,
            Self::Restricted => condition == Condition::Restricted,
            Self::Offline => matches!(condition, Condition::Offline | Condition::Silent),
            Self::Busy => condition == Condition::Busy,
            Self::Behind | Self::Next => condition == Condition::Free,
        }
    }
}
