//! What the server does, and what it does when somebody has broken it. The model is worth as much as it notices.

use testflinger_server::domain::{Agent, AgentName, Job, JobId, Provision, Timestamp};
use testflinger_server::ops::{self, By, Claimed, Due, Patience, Posted};
use testflinger_server::store::{AgentReads, Ask, JobReads, RuleReads, WriteTx};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sabotage {
    /// A job that nobody acknowledged is given to nobody again.
    NoRedelivery,
    /// Nobody looks for silent agents.
    NoWatch,
    /// The disk says "synced" of the journal when it is not.
    LyingJournal,
    /// The disk says "synced" of the database when it is not, so that the journal forgets too early.
    LyingDatabase,
    /// A job is given to two agents.
    GivenTwice,
    /// A job that goes back goes to the end.
    NewPlace,
    /// A job that failed may go to the same agent again.
    SameAgain,
    /// A job is tried once more than it says.
    OnceTooOften,
    /// A drained server hands out jobs.
    LeakyDrain,
    /// An agent that is set aside gets jobs.
    LeakyAside,
    /// An agent is set aside although all others fail, too.
    RashQuarantine,
}

pub(super) fn claim(
    sabotage: Option<Sabotage>,
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    ask: &Ask,
    by: &By,
) -> Result<Option<Claimed>, ops::Error> {
    match (sabotage, &ask.agent) {
        (Some(Sabotage::NoRedelivery), Some(agent)) => claim_anew(tx, now, ask, by, agent),
        (Some(Sabotage::GivenTwice), Some(agent)) => {
            let others = tx.held()?;
            for id in others {
                if let Some(job) = tx.job(id)?.filter(|job| job.agent.as_ref() != Some(agent)) {
                    let body = tx.job_body(id)?;
                    return Ok(Some(Claimed { job, body, secrets: Vec::new(), fresh: false }));
                }
            }
            ops::claim(tx, now, ask, by)
        }
        (Some(Sabotage::LeakyDrain), _) => {
            let since = tx.drained_since()?;
            tx.set_drained(None)?;
            let claimed = ops::claim(tx, now, ask, by);
            tx.set_drained(since)?;
            claimed
        }
        (Some(Sabotage::LeakyAside), Some(agent)) => {
            let known = tx.agent(agent)?.filter(|agent| agent.aside.is_some());
            if let Some(old) = &known {
                tx.put_agent(Some(old), &old.resumed())?;
            }
            let claimed = ops::claim(tx, now, ask, by);
            if let (Some(old), Some(new)) = (known, tx.agent(agent)?) {
                let aside = Agent { aside: old.aside, ..new.clone() };
                tx.put_agent(Some(&new), &aside)?;
            }
            claimed
        }
        _ => ops::claim(tx, now, ask, by),
    }
}

pub(super) fn post_result(
    sabotage: Option<Sabotage>,
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    id: JobId,
    posted: &Posted,
    by: &By,
) -> Result<(), ops::Error> {
    ops::post_result(tx, now, id, posted, by)?;
    if sabotage == Some(Sabotage::SameAgain)
        && let Some(old) = tx.job(id)?.filter(|job| job.state.is_waiting())
    {
        tx.update_job(&old, &Job { tried: Vec::new(), ..old.clone() })?;
    }
    Ok(())
}

pub(super) fn retries(sabotage: Option<Sabotage>, wished: u32) -> u32 {
    wished + u32::from(sabotage == Some(Sabotage::OnceTooOften))
}

pub(super) fn post_provision(
    sabotage: Option<Sabotage>,
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    name: &AgentName,
    entry: &Provision,
    after: u64,
) -> Result<(), ops::Error> {
    ops::post_provision(tx, now, name, entry, after)?;
    if sabotage == Some(Sabotage::RashQuarantine) && entry.exit_code != 0 {
        ops::drain_agent(tx, now, name, "", &crate::support::by(None))?;
    }
    Ok(())
}

/// A claim of somebody whose name is written down only afterwards, so that the server cannot know what it has already.
fn claim_anew(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    ask: &Ask,
    by: &By,
    agent: &AgentName,
) -> Result<Option<Claimed>, ops::Error> {
    if tx.unacknowledged(agent, &ask.queues)?.is_none() {
        return ops::claim(tx, now, ask, by);
    }
    let nameless = Ask { agent: None, ..ask.clone() };
    let Some(mut claimed) = ops::claim(tx, now, &nameless, by)? else { return Ok(None) };
    let job = Job { agent: Some(agent.clone()), ..claimed.job.clone() };
    tx.update_job(&claimed.job, &job)?;
    claimed.job = job;
    Ok(Some(claimed))
}

pub(super) fn take_back(
    sabotage: Option<Sabotage>,
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    job: &Job,
) -> Result<(), ops::Error> {
    if sabotage == Some(Sabotage::NoRedelivery) {
        return Ok(());
    }
    ops::take_back(tx, now, job)
}

/// What of that which is due is done at all.
pub(super) fn is_done(sabotage: Option<Sabotage>, due: Due) -> bool {
    match sabotage {
        Some(Sabotage::NoWatch) => false,
        Some(Sabotage::NoRedelivery) => due != Due::GoBack,
        _ => true,
    }
}

pub(super) fn act(
    sabotage: Option<Sabotage>,
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    due: (JobId, Due),
    patience: &Patience,
    heard: impl Fn(&AgentName) -> Timestamp,
) -> Result<(), ops::Error> {
    ops::act(tx, now, due, patience, heard)?;
    if sabotage == Some(Sabotage::NewPlace)
        && due.1 == Due::GoBack
        && let Some(old) = tx.job(due.0)?
    {
        let seq = tx.next_place()?;
        tx.update_job(&old, &Job { seq, ..old.clone() })?;
    }
    Ok(())
}
