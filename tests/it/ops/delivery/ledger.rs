//! What people and callers were told, and what must therefore be so. It knows nothing of how the server does it.
//!
//! A caller *owns* a job from the moment when it is told of it until the job ends or is submitted again, until the caller
//! forgets it (it crashes), or, for an agent that has not acknowledged it, until the server looks for silent agents later
//! than the time to acknowledge after the claim: agents know that they may begin only what they have acknowledged. An
//! agent whose report is accepted while the job waits, or while the server still counts the job as the agent's, owns it
//! again. Nobody owns a job of which nobody was told, and a job must never have two owners.

use std::collections::BTreeMap;
use std::fmt;

use testflinger_server::domain::{AgentName, EndedBy, Job, JobId, Timestamp};
use testflinger_server::ops::Claimed;

use super::picture::Picture;
use super::plan::{CALLERS, Wish};
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
}

impl Entry {
    fn rank(&self) -> (i64, u64) {
        (-self.wish.priority, self.place)
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
}

/// A job before it was submitted again.
pub(super) struct Earlier(Option<Entry>, Option<Grant>);

#[derive(Default)]
pub(super) struct Ledger {
    entries: Vec<Entry>,
    grants: BTreeMap<JobId, Grant>,
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
        let before = |other: &&Entry| {
            queues.contains(&other.wish.queue)
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
        let grant = Grant { caller, since, told, acknowledged: false, lapsed: false };
        self.grants.insert(id, grant);
        Ok(())
    }

    /// Somebody asked for a job of these queues, and there was none, or still waits.
    pub(super) fn found_nothing(&self, queues: &[&str], after: &Picture) -> Verdict {
        let waits =
            |entry: &&Entry| queues.contains(&entry.wish.queue) && after.is_waiting(entry.id);
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
        let grant = Grant { caller, since, told: true, acknowledged: true, lapsed: false };
        self.grants.insert(id, grant);
        Ok(())
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
            let late = now.since(grant.since.max(began)) > PATIENCE.acknowledge;
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

/// Something was written, and acknowledged or found on disk: whether it may have changed what it changed.
pub(super) fn changed(
    before: &Picture,
    after: &Picture,
    may_end: impl Fn(&Job) -> bool,
) -> Verdict {
    for old in &before.0 {
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
