//! What people and callers were told, and what must therefore be so. It knows nothing of how the server does it.
//!
//! A caller *owns* a job from the moment when it is told of it until the job ends or is submitted again, until the caller
//! forgets it (it crashes), or, for an agent that has not acknowledged it, until the server looks for silent agents later
//! than the time to acknowledge after the claim: agents know that they may begin only what they have acknowledged. An
//! agent whose report is accepted while the job waits, or while the server still counts the job as the agent's, owns it
//! again. Nobody owns a job of which nobody was told, and a job must never have two owners. An agent that asks for a job
//! *leaves* those that it has acknowledged, and the server may end them after a while.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use testflinger_server::domain::{AgentName, EndedBy, Job, JobId, Timestamp};
use testflinger_server::ops::Claimed;

use super::picture::Picture;
use super::plan::{AGENTS, CALLERS, Wish};
use super::world::PATIENCE;

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A job was given to somebody while somebody else had it.
    TwoOwners,
    /// Something that was acknowledged is gone, or something is there by half.
    Lost,
    /// A job waits and is not handed out, or nobody will ever end it.
    Stuck,
    /// A job was handed out before another whose turn it was.
    Disorder,
    /// A job ended without a reason, or went on after its end.
    Ended,
    /// A job that failed went to the wrong agent, went on too often, or did not go on.
    Retried,
    /// Somebody got a job who was to get none.
    Withheld,
    /// An agent was set aside without a reason, or was not although there was one.
    Quarantined,
    /// The database refuses to work, though the power is on.
    Broken,
}

#[derive(Debug)]
pub(super) struct Violation(pub(super) Kind, pub(super) String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0, self.1)
    }
}

pub(super) type Verdict<T = ()> = Result<T, Violation>;

pub(super) fn violation<T>(kind: Kind, text: impl Into<String>) -> Verdict<T> {
    Err(Violation(kind, text.into()))
}

/// A job as it was submitted last.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) id: JobId,
    pub(super) wish: Wish,
    /// When, among all submissions.
    pub(super) place: u64,
    pub(super) body: String,
    /// The callers that tried it in vain.
    pub(super) failed: Vec<usize>,
}

impl Entry {
    fn rank(&self) -> (i64, u64) {
        (-self.wish.priority, self.place)
    }

    /// Whether a caller may have it: not again, and one without a name only what excludes nobody.
    fn suits(&self, caller: usize) -> bool {
        !self.failed.contains(&caller) && (caller < AGENTS || self.failed.is_empty())
    }
}

#[derive(Debug)]
struct Grant {
    caller: usize,
    /// When the job was claimed.
    since: Timestamp,
    told: bool,
    acknowledged: bool,
    lapsed: bool,
    /// Since when its agent asks for other jobs.
    left: Option<Timestamp>,
}

/// A job before it was submitted again.
pub(super) struct Earlier(Option<Entry>, Option<Grant>);

#[derive(Default)]
pub(super) struct Ledger {
    entries: Vec<Entry>,
    grants: BTreeMap<JobId, Grant>,
    /// The administrator was told that the server hands out nothing.
    pub(super) drained: bool,
    /// The same of an agent, or the server said so of itself.
    pub(super) aside: [bool; AGENTS],
    /// Whether the last provisionings of each agent passed, and how many in a row.
    pub(super) streaks: [(bool, u64); AGENTS],
}

impl Ledger {
    pub(super) fn any(&self, index: usize) -> Option<JobId> {
        let count = self.entries.len();
        (count > 0).then(|| self.entries[index % count].id)
    }

    /// A job was submitted, or submitted again. Gives what was known of it.
    pub(super) fn submitted(&mut self, entry: Entry) -> Earlier {
        let grant = self.grants.remove(&entry.id);
        let place = self.entries.iter().position(|old| old.id == entry.id);
        let old = place.map(|place| self.entries.remove(place));
        self.entries.push(entry);
        Earlier(old, grant)
    }

    /// It was not.
    pub(super) fn not_submitted(&mut self, id: JobId, Earlier(entry, grant): Earlier) {
        self.entries.retain(|new| new.id != id);
        self.entries.extend(entry);
        self.grants.extend(grant.map(|grant| (id, grant)));
    }

    fn owner(&self, id: JobId, picture: &Picture) -> Option<usize> {
        let grant = self.grants.get(&id).filter(|grant| grant.told && !grant.lapsed)?;
        let ended = picture.job(id).is_none_or(|job| job.state.is_finished());
        (!ended).then_some(grant.caller)
    }

    /// A job was handed out; `told` says whether the caller knows.
    pub(super) fn handed_out(
        &mut self,
        caller: usize,
        told: bool,
        queues: &[&str],
        claimed: &Claimed,
        after: &Picture,
    ) -> Verdict {
        let id = claimed.job.id;
        if claimed.fresh && self.gets_nothing(caller) {
            return violation(Kind::Withheld, format!("job {id} was given to caller {caller}"));
        }
        let Some(entry) = self.entries.iter().find(|entry| entry.id == id) else {
            return violation(Kind::Lost, format!("job {id} was handed out, and nobody knows it"));
        };
        if claimed.body.as_ref() != Some(&entry.body) {
            return violation(Kind::Lost, format!("job {id} has the body of another attempt"));
        }
        if after.job(id).is_none_or(|job| job.state.is_waiting() || job.state.is_finished()) {
            return violation(Kind::Ended, format!("job {id} was handed out and does not run"));
        }
        if let Some(owner) = self.owner(id, after).filter(|owner| *owner != caller) {
            let text = format!("job {id} was handed to caller {caller}, but {owner} has it");
            return violation(Kind::TwoOwners, text);
        }
        if !entry.suits(caller) {
            return violation(Kind::Retried, format!("job {id} went to caller {caller} again"));
        }
        let before = |other: &&Entry| {
            queues.contains(&other.wish.queue)
                && other.suits(caller)
                && after.is_waiting(other.id)
                && other.rank() < entry.rank()
        };
        let passed = self.entries.iter().find(before).filter(|_| claimed.fresh);
        if let Some(other) = passed.map(|other| other.id) {
            return violation(Kind::Disorder, format!("job {id} was handed out before {other}"));
        }
        if !queues.contains(&entry.wish.queue) {
            return violation(Kind::Disorder, format!("job {id} is in a queue not asked for"));
        }
        let since = claimed.job.started_at.unwrap_or_default();
        let grant = Grant { caller, since, told, acknowledged: false, lapsed: false, left: None };
        self.grants.insert(id, grant);
        Ok(())
    }

    /// A caller asked for a job.
    pub(super) fn asked(&mut self, caller: usize, now: Timestamp, before: &Picture) {
        for (id, grant) in self.grants.iter_mut().filter(|(_, grant)| grant.caller == caller) {
            if before.job(*id).is_some_and(|job| job.acknowledged) {
                grant.left.get_or_insert(now);
            }
        }
    }

    /// The jobs that their agents have left for so long that they may end, the server having been up since `began`.
    pub(super) fn abandoned(&self, now: Timestamp, began: Timestamp) -> BTreeSet<JobId> {
        let long = |since| counted(since, now, began) > PATIENCE.lost;
        let left = self.grants.iter().filter(|(_, grant)| grant.left.is_some_and(long));
        left.map(|(id, _)| *id).collect()
    }

    fn gets_nothing(&self, caller: usize) -> bool {
        self.drained || self.aside.get(caller) == Some(&true)
    }

    /// A caller asked for a job of these queues, and there was none, or still waits.
    pub(super) fn found_nothing(&self, caller: usize, queues: &[&str], after: &Picture) -> Verdict {
        let waits = |entry: &&Entry| {
            !self.gets_nothing(caller)
                && entry.suits(caller)
                && queues.contains(&entry.wish.queue)
                && after.is_waiting(entry.id)
        };
        match self.entries.iter().find(waits) {
            Some(entry) => violation(Kind::Stuck, format!("job {} is not handed out", entry.id)),
            None => Ok(()),
        }
    }

    /// A caller that was told of a job has reported on it, and was answered.
    pub(super) fn reported(&mut self, caller: usize, id: JobId, before: &Picture) -> Verdict {
        let owner = self.owner(id, before);
        if owner == Some(caller) {
            if let Some(grant) = self.grants.get_mut(&id) {
                grant.acknowledged = true;
            }
            return Ok(());
        }
        let Some(job) = before.job(id).filter(|job| !job.state.is_finished()) else {
            return Ok(());
        };
        if self.entry(id).is_some_and(|entry| entry.failed.contains(&caller)) {
            // It belongs to the try that failed.
            return Ok(());
        }
        let agent = job.agent.as_ref().map(AgentName::as_str);
        if !job.state.is_waiting() && (agent.is_none() || agent != CALLERS[caller]) {
            // Too late: somebody else has it.
            return Ok(());
        }
        if let Some(owner) = owner {
            let text = format!("caller {caller} took job {id} up again, but {owner} has it");
            return violation(Kind::TwoOwners, text);
        }
        let since = job.started_at.unwrap_or_default();
        let grant =
            Grant { caller, since, told: true, acknowledged: true, lapsed: false, left: None };
        self.grants.insert(id, grant);
        Ok(())
    }

    fn entry(&self, id: JobId) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id == id)
    }

    /// Whether a caller has tried a job in vain.
    pub(super) fn has_failed(&self, caller: usize, id: JobId) -> bool {
        self.entry(id).is_some_and(|entry| entry.failed.contains(&caller))
    }

    /// A caller has reported that provisioning failed, with the end of the job.
    pub(super) fn failed(
        &mut self,
        caller: usize,
        id: JobId,
        before: &Picture,
        after: &Picture,
    ) -> Verdict {
        let (Some(old), Some(new)) = (before.job(id), after.job(id)) else { return Ok(()) };
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.id == id) else {
            return Ok(());
        };
        if entry.failed.contains(&caller) {
            return if old.state == new.state {
                Ok(())
            } else {
                violation(Kind::Ended, format!("a late report changed job {id}"))
            };
        }
        if old.state.is_finished() {
            return Ok(());
        }
        let held = old.agent.as_ref().map(AgentName::as_str);
        let holder = if old.state.is_waiting() { CALLERS[caller] } else { held };
        let agent = CALLERS.iter().position(|name| name.is_some() && *name == holder);
        let other = |other: &usize| {
            Some(*other) != agent && !entry.failed.contains(other) && !self.aside[*other]
        };
        let again = agent.is_some()
            && (CALLERS[caller].is_none() || agent == Some(caller))
            && entry.failed.len() < entry.wish.retries as usize
            && (0..AGENTS).any(|one| other(&one));
        if again == new.state.is_finished() {
            let word = new.state.as_str();
            return violation(Kind::Retried, format!("job {id} is {word} after its failure"));
        }
        if again {
            entry.failed.extend(agent);
            self.grants.remove(&id);
        }
        Ok(())
    }

    /// An agent has reported how a provisioning ended. Says whether it must be set aside by now.
    pub(super) fn provisioned(&mut self, agent: usize, passed: bool, after: u64) -> bool {
        let (before, count) = self.streaks[agent];
        let count = if before == passed { count + 1 } else { 1 };
        self.streaks[agent] = (passed, count);
        let others = || (0..AGENTS).filter(|other| *other != agent && !self.aside[*other]);
        let has_worked = |other: usize| self.streaks[other].0 && self.streaks[other].1 > 0;
        self.aside[agent] |= !passed && count >= after && others().any(has_worked);
        self.aside[agent]
    }

    pub(super) fn crashed(&mut self, caller: usize) {
        for grant in self.grants.values_mut().filter(|grant| grant.caller == caller) {
            grant.told = false;
        }
    }

    /// Whether an agent has the job by all that it was told, dead or alive.
    pub(super) fn is_acknowledged(&self, id: JobId) -> bool {
        self.grants.get(&id).is_some_and(|grant| {
            CALLERS[grant.caller].is_some() && grant.acknowledged && !grant.lapsed
        })
    }

    /// The server looks for silent agents, having been up since `began`.
    pub(super) fn looked(&mut self, now: Timestamp, began: Timestamp) {
        for grant in self.grants.values_mut() {
            let late = counted(grant.since, now, began) > PATIENCE.acknowledge;
            grant.lapsed |= CALLERS[grant.caller].is_some() && !grant.acknowledged && late;
        }
    }

    /// Everything that was submitted is there.
    pub(super) fn complete(&self, picture: &Picture) -> Verdict {
        let there = |entry: &&Entry| picture.job(entry.id).is_none();
        match self.entries.iter().find(there) {
            Some(entry) => violation(Kind::Lost, format!("job {} is gone", entry.id)),
            None => Ok(()),
        }
    }
}

/// How long ago a moment was, the server having listened since `began`. The clock was set back since a moment that is still
/// to come.
fn counted(moment: Timestamp, now: Timestamp, began: Timestamp) -> Duration {
    now.since(if moment > now { began } else { moment.max(began) })
}

/// Something was written, and acknowledged or found on disk: whether it may have changed what it changed.
pub(super) fn changed(
    before: &Picture,
    after: &Picture,
    may_end: impl Fn(&Job) -> bool,
) -> Verdict {
    for old in &before.jobs {
        let Some(new) = after.job(old.id) else {
            return violation(Kind::Lost, format!("job {} is gone", old.id));
        };
        if new.attempt > old.attempt {
            continue;
        }
        let late = old.ended_by == Some(EndedBy::Server)
            && new.ended_by == Some(EndedBy::Agent)
            && new.state.is_finished();
        if old.state.is_finished() && old.state != new.state && !late {
            return violation(Kind::Ended, format!("job {} went on after its end", old.id));
        }
        if !old.state.is_finished() && new.state.is_finished() && !may_end(old) {
            return violation(Kind::Ended, format!("job {} ended without a reason", old.id));
        }
    }
    Ok(())
}
