//! All that is stored of jobs, at one moment.

use testflinger_server::domain::{Agent, AgentName, Job, JobId};
use testflinger_server::store::{AgentReads, Error, JobReads, Lines, RuleReads};

use super::plan::QUEUES;
use crate::support::queues;

/// The jobs in submit order, and who gets none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Picture {
    pub(super) jobs: Vec<Job>,
    /// The server hands out nothing.
    pub(super) drained: bool,
    /// The agents that get nothing.
    pub(super) aside: Vec<AgentName>,
    /// The agents that have provisioned, whether the last ones passed, and how many in a row.
    streaks: Vec<(AgentName, (bool, u64))>,
}

impl Picture {
    pub(super) fn of(tx: &(impl AgentReads + JobReads + RuleReads)) -> Result<Self, Error> {
        let mut jobs = Vec::new();
        for row in tx.jobs_after(0, usize::MAX)? {
            let missing = || Error::Corrupt(format!("job {} is listed and not there", row.id));
            jobs.push(tx.job(row.id)?.ok_or_else(missing)?);
        }
        let agents = tx.agents_after(0, usize::MAX)?;
        let streak = |agent: &Agent| Some((agent.name.clone(), agent.streak?));
        let streaks = agents.iter().filter_map(streak).collect();
        let agents = agents.into_iter();
        let aside = agents.filter(|agent| agent.aside.is_some()).map(|agent| agent.name);
        let drained = tx.drained_since()?.is_some();
        Ok(Self { jobs, drained, aside: aside.collect(), streaks })
    }

    pub(super) fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs.iter().find(|job| job.id == id)
    }

    pub(super) fn is_waiting(&self, id: JobId) -> bool {
        self.job(id).is_some_and(|job| job.state.is_waiting())
    }

    /// Whether the indexes say the same as the records: nothing is there by half.
    pub(super) fn is_whole(&self, tx: &impl JobReads, lines: &Lines) -> Result<bool, Error> {
        for name in queues(&QUEUES) {
            let mut waiting: Vec<&Job> = self.jobs.iter().filter(|job| job.queue == name).collect();
            waiting.retain(|job| job.state.is_waiting());
            waiting.sort_by_key(|job| (-job.priority, job.seq));
            let claimable = waiting.iter().filter(|job| job.is_claimable()).map(|job| job.id);
            let in_line = (0..).zip(&waiting).all(|(before, job)| lines.before(job) == before);
            if !in_line || !claimable.eq(tx.first_waiting(&name, usize::MAX)?) {
                return Ok(false);
            }
            let listed = tx.queue_jobs_after(&name, 0, usize::MAX)?;
            let listed = listed.into_iter().map(|row| row.id);
            if !listed.eq(self.jobs.iter().filter(|job| job.queue == name).map(|job| job.id)) {
                return Ok(false);
            }
        }
        let mut held = tx.held()?;
        let is_held =
            |job: &&Job| job.agent.is_some() && !job.state.is_waiting() && !job.state.is_finished();
        let mut expected: Vec<JobId> = self.jobs.iter().filter(is_held).map(|job| job.id).collect();
        held.sort_unstable();
        expected.sort_unstable();
        let mut bodies = true;
        for job in &self.jobs {
            bodies &= tx.job_body(job.id)?.is_some();
        }
        Ok(bodies && held == expected)
    }
}
