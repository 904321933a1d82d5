//! The lab as people look at it: all agents with what they do, all queues with what waits in them.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::Error;
use super::agent::AgentView;
use super::{Hearing, JobGlance, agents};
use crate::domain::{
    Agent, AgentName, Event, Job, JobId, JobState, Provision, QueueName, Subject, Timestamp,
};
use crate::store::{
    AgentReads, ClientReads, HistoryReads, JobReads, JobsOf, Lines, QueueReads, ResultReads,
    RuleReads, WaitReads,
};

/// The most agents, and the most queues, of which there is a list.
const MOST: usize = 2000;
/// The waits of a queue that its median is taken of.
const WAITS: usize = 256;
/// The newest events of an agent that are looked at.
const EVENTS: usize = 50;

/// What a list of agents needs to be able to read.
pub trait LabReads:
    AgentReads
    + ClientReads
    + HistoryReads
    + JobReads
    + QueueReads
    + ResultReads
    + RuleReads
    + WaitReads
{
}

impl<T> LabReads for T where
    T: AgentReads
        + ClientReads
        + HistoryReads
        + JobReads
        + QueueReads
        + ResultReads
        + RuleReads
        + WaitReads
{
}

/// What an agent does, in few words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It waits for a job.
    Idle,
    /// It has a job, or says that it does something.
    Busy,
    /// It says that it takes no jobs.
    Offline,
    /// Nobody has heard it for some time, although it does not say that it is offline.
    Silent,
}

/// An agent as a list shows it.
#[derive(Clone, Debug)]
pub struct AgentGlance {
    /// The agent, and which of its queues are restricted.
    pub view: AgentView,
    /// What it does.
    pub doing: Doing,
    /// When it was last heard.
    pub heard: Timestamp,
    /// The job that it has.
    pub job: Option<JobGlance>,
}

/// A queue as a list shows it.
#[derive(Clone, Debug)]
pub struct QueueGlance {
    /// Its name.
    pub name: QueueName,
    /// What its agents say about it.
    pub description: String,
    /// Only its owners may use it.
    pub restricted: bool,
    /// The jobs in it.
    pub waiting: usize,
    /// Its jobs that agents have.
    pub running: usize,
    /// Its agents.
    pub agents: usize,
    /// Those that wait for a job.
    pub idle: usize,
    /// Those that are offline or silent.
    pub offline: usize,
    /// How long half of its newest jobs waited at most.
    pub median: Option<Duration>,
}

/// The agents of a lab, and the jobs that they have.
#[derive(Clone, Debug)]
pub struct Lab {
    /// The agents, in the order of their first appearance.
    pub agents: Vec<AgentGlance>,
    /// The jobs that are with agents, known ones or not, by time of their start.
    pub running: Vec<JobGlance>,
    lines: Lines,
}

impl Lab {
    /// The lab now.
    pub fn now(
        tx: &impl LabReads,
        lines: &Lines,
        now: Timestamp,
        hearing: &Hearing<impl Fn(&AgentName) -> Timestamp>,
    ) -> Result<Self, Error> {
        let mut running = Vec::new();
        for id in tx.held()? {
            if let Some(job) = tx.job(id)? {
                running.push(JobGlance::of(tx, job)?);
            }
        }
        running.sort_by_key(|glance| glance.job.started_at);
        let agents = agents(tx, None, MOST)?.items.into_iter();
        let agents = agents.map(|view| glance(view, &running, now, hearing)).collect();
        Ok(Self { agents, running, lines: lines.clone() })
    }

    /// What the agents and jobs of a queue come to.
    pub fn queue(&self, tx: &impl LabReads, name: &QueueName) -> Result<QueueGlance, Error> {
        let mut waits = tx.waits(name, WAITS)?;
        waits.sort_unstable();
        let median = waits.get(waits.len() / 2).map(|wait| Duration::from_secs((*wait).into()));
        let agents: Vec<Doing> = self.of_queue(name).map(|agent| agent.doing).collect();
        let count = |such: &[Doing]| agents.iter().filter(|doing| such.contains(doing)).count();
        Ok(QueueGlance {
            description: tx.advertised(name)?.map(|it| it.description).unwrap_or_default(),
            restricted: tx.is_restricted(name)?,
            waiting: self.lines.length(name),
            running: self.running.iter().filter(|glance| glance.job.queue == *name).count(),
            agents: agents.len(),
            idle: count(&[Doing::Idle]),
            offline: count(&[Doing::Offline, Doing::Silent]),
            median,
            name: name.clone(),
        })
    }

    /// How many jobs wait in all queues.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lines.total()
    }

    /// The agents that serve a queue.
    pub fn of_queue(&self, name: &QueueName) -> impl Iterator<Item = &AgentGlance> {
        self.agents.iter().filter(|agent| agent.view.agent.queues.contains(name))
    }

    /// All queues that are served, were advertised or have jobs, by name.
    pub fn queues(&self, tx: &impl LabReads) -> Result<Vec<QueueGlance>, Error> {
        let advertised = tx.advertised_after(None, MOST)?.into_iter().map(|queue| queue.name);
        let served = self.agents.iter().flat_map(|agent| agent.view.agent.queues.clone());
        let mut names: BTreeSet<QueueName> = advertised.chain(served).collect();
        names.extend(tx.queues_with_jobs()?);
        names.iter().take(MOST).map(|name| self.queue(tx, name)).collect()
    }

    /// The queues in which jobs wait although nobody serves them, with the job that waits longest in each.
    pub fn stuck(&self, tx: &impl LabReads) -> Result<Vec<(QueueName, Option<Job>)>, Error> {
        let served: BTreeSet<&QueueName> = self
            .agents
            .iter()
            .filter(|agent| !matches!(agent.doing, Doing::Offline | Doing::Silent))
            .flat_map(|agent| &agent.view.agent.queues)
            .collect();
        let mut stuck = Vec::new();
        for name in tx.queues_with_waiting()? {
            if !served.contains(&name) {
                let first = tx.first_waiting(&name, 1)?.first().copied();
                let job = first.map(|id| tx.job(id)).transpose()?.flatten();
                stuck.push((name, job));
            }
        }
        Ok(stuck)
    }
}

fn glance(
    view: AgentView,
    running: &[JobGlance],
    now: Timestamp,
    hearing: &Hearing<impl Fn(&AgentName) -> Timestamp>,
) -> AgentGlance {
    let agent = &view.agent;
    let job = running.iter().find(|glance| glance.job.agent.as_ref() == Some(&agent.name));
    let doing = if agent.is_out_of_service() {
        Doing::Offline
    } else if hearing.silent_since(agent, now).is_some() {
        Doing::Silent
    } else if job.is_some() || !agent.is_idle() {
        Doing::Busy
    } else {
        Doing::Idle
    };
    let heard = hearing.heard(agent, now);
    AgentGlance { job: job.cloned(), doing, heard, view }
}

/// Since when an agent is in its state, as far as its newest events tell.
pub fn agent_since(tx: &impl HistoryReads, agent: &Agent) -> Result<Option<Timestamp>, Error> {
    if let Some(aside) = &agent.aside {
        return Ok(Some(aside.since));
    }
    Ok(tx.changed_at(&Subject::Agent(agent.name.clone()), "state", EVENTS)?)
}

/// How an agent's provisionings ended, newest first.
pub fn provisions(tx: &impl AgentReads, name: &AgentName) -> Result<Vec<Provision>, Error> {
    let mut found = tx.provisions(name)?;
    found.reverse();
    Ok(found)
}

/// The last lines that an agent logged.
pub fn agent_log(tx: &impl AgentReads, name: &AgentName) -> Result<Vec<String>, Error> {
    Ok(tx.agent_log(name)?)
}

/// The newest events of a subject, newest first.
pub fn newest_events(
    tx: &impl HistoryReads,
    subject: &Subject,
    limit: usize,
) -> Result<Vec<Event>, Error> {
    let events = tx.newest_events(subject, limit)?;
    Ok(events.into_iter().rev().map(|(_, event)| event).collect())
}

/// The jobs that have waited longest.
pub fn longest_waiting(
    tx: &(impl JobReads + ResultReads),
    limit: usize,
) -> Result<Vec<JobGlance>, Error> {
    let rows = tx.state_jobs_after(&[JobState::WAITING.to_owned()], false, 0, limit)?;
    glances(tx, rows.into_iter().map(|row| row.id))
}

/// The first jobs of a queue, in the order in which they will be handed out.
pub fn waiting_in(
    tx: &(impl JobReads + ResultReads),
    queue: &QueueName,
    limit: usize,
) -> Result<Vec<JobGlance>, Error> {
    glances(tx, tx.first_waiting(queue, limit)?.into_iter())
}

fn glances(
    tx: &(impl JobReads + ResultReads),
    ids: impl Iterator<Item = JobId>,
) -> Result<Vec<JobGlance>, Error> {
    let mut found = Vec::new();
    for id in ids {
        if let Some(job) = tx.job(id)? {
            found.push(JobGlance::of(tx, job)?);
        }
    }
    Ok(found)
}

/// How long a queue's newest jobs waited, in seconds, shortest first.
pub fn newest_waits(tx: &impl WaitReads, queue: &QueueName) -> Result<Vec<u32>, Error> {
    const NEWEST: usize = 500;
    let mut waits = tx.waits(queue, NEWEST)?;
    waits.sort_unstable();
    Ok(waits)
}

/// The newest jobs of a queue that ended since then: when, and whether a phase of theirs failed.
pub fn ended_since(
    tx: &(impl JobReads + ResultReads),
    queue: &QueueName,
    since: Timestamp,
) -> Result<Vec<(Timestamp, bool)>, Error> {
    const LOOKED_AT: usize = 1000;
    let mut ended = Vec::new();
    let rows = tx.newest_jobs(&JobsOf::Queue(queue), None, LOOKED_AT)?;
    for row in rows {
        let Some(job) = tx.job(row.id)? else { continue };
        if let Some(at) = job.finished_at.filter(|at| *at >= since) {
            ended.push((at, JobGlance::of(tx, job)?.failed.is_some()));
        }
    }
    Ok(ended)
}

/// Whether a job waits for an agent.
pub fn waits(tx: &impl JobReads, id: JobId) -> Result<bool, Error> {
    Ok(tx.job(id)?.is_some_and(|job| job.state.is_waiting()))
}
