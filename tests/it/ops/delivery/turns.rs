//! What people, callers and the server do, step by step.

use std::sync::Arc;
use std::time::Duration;

use testflinger_server::domain::{AgentName, Clock, Job, JobId, JobState};
use testflinger_server::ops::{self, Claimed, Patience, Posted, Submission};
use testflinger_server::store::{Ask, WriteTx};

use super::ledger::{Entry, Kind, Verdict, violation};
use super::picture::Picture;
use super::plan::{AGENTS, CALLERS, End, Fate, Plan, QUEUES, Queues, Step, Wish};
use super::sabotage::{self, Sabotage};
use super::world::{Outcome, PATIENCE, World};
use crate::support::disk::next;
use crate::support::{by, queues as names, submission};

/// How long a job in a hurry may wait.
const HURRY: Duration = Duration::from_mins(10);
pub(super) fn nothing_ends(_: &Job) -> bool {
    false
}

fn is(agent: Option<&AgentName>, name: Option<&str>) -> bool {
    name.is_some() && agent.map(AgentName::as_str) == name
}

impl World<'_> {
    /// Lives through a plan, and then sees to it that everything comes to an end.
    pub(super) fn live(&mut self, plan: &Plan) -> Verdict {
        self.disk.arm(plan.blank);
        self.start()?;
        self.enrol()?;
        for &step in &plan.steps {
            self.take(step)?;
        }
        self.settle(plan)?;
        self.take_all()
    }

    fn take(&mut self, step: Step) -> Verdict {
        match step {
            Step::Submit(wish) => self.submit(None, wish),
            Step::Resubmit(job, wish) => {
                let id = self.ledger.any(job);
                id.map_or(Ok(()), |id| self.submit(Some(id), wish))
            }
            Step::Cancel(job) => self.ledger.any(job).map_or(Ok(()), |id| self.cancel(id)),
            Step::Turn { caller, queues, hold, fate, end } => {
                if let Some(id) = self.has[caller] {
                    self.report(caller, id, end)
                } else if self.has_held(caller) {
                    self.held.retain(|held| held.caller != caller);
                    Ok(())
                } else if hold {
                    self.ask_and_wait(caller, queues, fate)
                } else {
                    self.ask(caller, queues, fate)
                }
            }
            Step::Crash(caller) => {
                self.crash(caller);
                Ok(())
            }
            Step::Watch => self.watch(),
            Step::Drain(drained) => self.set_drained(drained),
            Step::Aside(agent, aside) => self.set_aside(agent, aside),
            Step::Provision(agent, passed) => self.provision(agent, passed),
            Step::Pass(seconds) => {
                self.clock.advance(Duration::from_secs(seconds));
                Ok(())
            }
            Step::Set(seconds) => {
                let now = self.clock.now();
                let span = Duration::from_secs(seconds.unsigned_abs());
                self.clock.set(if seconds < 0 { now.minus(span) } else { now.plus(span) });
                Ok(())
            }
            Step::Restart => {
                self.stop()?;
                self.start()?;
                Ok(())
            }
            Step::Cut(cut, again) => {
                self.disk.arm(Some(cut));
                self.again = again;
                Ok(())
            }
        }
    }

    fn submit(&mut self, again: Option<JobId>, wish: Wish) -> Verdict {
        self.submissions += 1;
        let place = self.submissions;
        let id = again.unwrap_or_else(|| {
            // In no order, and the same ones in each run of a plan.
            let (mut seed, mut bytes) = (place, [0; 16]);
            bytes[..8].copy_from_slice(&next(&mut seed).to_be_bytes());
            JobId::from_bytes(bytes)
        });
        let body = format!("{{\"submission\":{place}}}");
        let entry = Entry { id, wish, place, body: body.clone(), failed: Vec::new() };
        let job = Submission {
            id: Some(id.to_string()),
            priority: wish.priority,
            queue_timeout: wish.hurry.then_some(HURRY),
            retries: Some(sabotage::retries(self.sabotage, wish.retries)),
            body,
            ..submission(wish.queue)
        };
        // Before the write, because the job may be handed out in the same one.
        let earlier = self.ledger.submitted(entry);
        let outcome =
            self.write(nothing_ends, move |tx, now| ops::submit(tx, now, &job, &by(None)))?;
        match outcome {
            Outcome::Done(_) => self.serve(),
            Outcome::Landed => Ok(()),
            Outcome::Undone => {
                self.ledger.not_submitted(id, earlier);
                Ok(())
            }
            Outcome::Refused => violation(Kind::Broken, "a submission was refused"),
        }
    }

    fn crash(&mut self, caller: usize) {
        self.held.retain(|held| held.caller != caller);
        self.has[caller] = None;
        self.ledger.crashed(caller);
    }

    fn hear(&self, name: Option<&str>) {
        if let Some(agent) = by(name).agent {
            self.agents.hear(&agent, &*self.clock);
        }
    }

    fn ask(&mut self, caller: usize, queues: Queues, fate: Fate) -> Verdict {
        self.hear(CALLERS[caller]);
        let (who, sabotage) = (by(CALLERS[caller]), self.sabotage);
        let ask = Ask { queues: names(queues), agent: who.agent.clone(), secrets: false };
        let had = |job: &Job| job.acknowledged && is(job.agent.as_ref(), CALLERS[caller]);
        let run = move |tx: &mut WriteTx<'_>, now| sabotage::claim(sabotage, tx, now, &ask, &who);
        let before = self.picture.clone();
        let outcome = self.write(had, run)?;
        self.leave(caller, &before, &outcome);
        match outcome {
            Outcome::Done(Some(claimed)) => self.answer(caller, queues, fate, &claimed),
            Outcome::Done(None) => self.ledger.found_nothing(caller, queues, &self.picture),
            _ => Ok(()),
        }
    }

    fn ask_and_wait(&mut self, caller: usize, queues: Queues, fate: Fate) -> Verdict {
        self.hear(CALLERS[caller]);
        let (who, sabotage) = (by(CALLERS[caller]), self.sabotage);
        let ask = Ask { queues: names(queues), agent: who.agent.clone(), secrets: false };
        let had = |job: &Job| job.acknowledged && is(job.agent.as_ref(), CALLERS[caller]);
        let run = move |tx: &mut WriteTx<'_>, now| sabotage::claim(sabotage, tx, now, &ask, &who);
        let before = self.picture.clone();
        let outcome = self.hold((caller, queues, fate), had, run)?;
        self.leave(caller, &before, &outcome);
        self.serve()
    }

    fn leave<T>(&mut self, caller: usize, before: &Picture, outcome: &Outcome<T>) {
        if let Outcome::Done(_) | Outcome::Landed = outcome {
            self.ledger.asked(caller, self.clock.now(), before);
        }
    }

    /// Looks at the held requests after a write that may have given a job to one of them.
    pub(super) fn serve(&mut self) -> Verdict {
        // All of them were answered by one write, so all are judged before another one.
        let answered = self.answered();
        for (held, claimed) in &answered {
            self.judge(held.caller, held.queues, held.fate, claimed)?;
        }
        for (held, claimed) in &answered {
            self.take_back(held.fate, claimed)?;
        }
        for held in &self.held {
            self.ledger.found_nothing(held.caller, held.queues, &self.picture)?;
        }
        Ok(())
    }

    fn answer(&mut self, caller: usize, queues: Queues, fate: Fate, claimed: &Claimed) -> Verdict {
        self.judge(caller, queues, fate, claimed)?;
        self.take_back(fate, claimed)
    }

    fn judge(&mut self, caller: usize, queues: Queues, fate: Fate, claimed: &Claimed) -> Verdict {
        let told = fate == Fate::Told;
        self.counts.handed_out += 1;
        self.ledger.handed_out(caller, told, queues, claimed, &self.picture)?;
        if told {
            self.has[caller] = Some(claimed.job.id);
        }
        Ok(())
    }

    fn take_back(&mut self, fate: Fate, claimed: &Claimed) -> Verdict {
        // As the server does when an answer finds its caller gone.
        if fate == Fate::Gone && claimed.fresh {
            let (job, sabotage) = (claimed.job.clone(), self.sabotage);
            let run = move |tx: &mut WriteTx<'_>, now| sabotage::take_back(sabotage, tx, now, &job);
            if let Outcome::Done(()) = self.write(nothing_ends, run)? {
                return self.serve();
            }
        }
        Ok(())
    }

    /// A caller reports a phase, or the end.
    fn report(&mut self, caller: usize, id: JobId, end: End) -> Verdict {
        self.hear(CALLERS[caller]);
        let who = by(CALLERS[caller]);
        let complete = end != End::NotYet;
        let word = if complete { JobState::COMPLETE } else { "test" };
        let mut posted = Posted { state: Some(JobState::new(word)), ..Posted::default() };
        if complete {
            let code = if end == End::Failed { "1" } else { "0" };
            posted.members.insert("provision_status".to_owned(), code.to_owned());
        }
        let before = self.picture.clone();
        let ends = |job: &Job| complete && job.id == id;
        let sabotage = self.sabotage;
        let run = move |tx: &mut WriteTx<'_>, now| {
            sabotage::post_result(sabotage, tx, now, id, &posted, &who)
        };
        let is_late = self.ledger.has_failed(caller, id);
        let outcome = self.write(ends, run)?;
        if let Outcome::Undone = outcome {
            return Ok(());
        }
        self.ledger.reported(caller, id, &before)?;
        if end == End::Failed {
            let after = self.picture.clone();
            self.ledger.failed(caller, id, &before, &after)?;
        }
        if let Outcome::Done(()) = outcome {
            // A job that goes to another agent may go to a request that is held.
            self.serve()?;
        }
        // Agents look what has become of their job.
        let finished = self.picture.job(id).is_none_or(|job| job.state.is_finished());
        if complete || finished || is_late {
            self.has[caller] = None;
        }
        Ok(())
    }

    fn watch(&mut self) -> Verdict {
        let agents = Arc::clone(&self.agents);
        let (now, began) = agents.listening(&*self.clock);
        let patience = Patience { began, ..PATIENCE };
        self.ledger.looked(now, began);
        let heard = |agent: &AgentName| agents.last_heard(agent);
        let snapshot = self.store().read().map_err(ops::Error::from);
        let due = snapshot.and_then(|tx| ops::overdue(&tx, now, &patience, heard));
        let due = match due {
            Ok(due) => due,
            Err(_) if !self.disk.is_on() => return self.recover(nothing_ends).map(|_| ()),
            Err(error) => return violation(Kind::Broken, error.to_string()),
        };
        for one in due {
            let sabotage = self.sabotage;
            if !sabotage::is_done(sabotage, one.1) {
                continue;
            }
            let writers = Arc::clone(&agents);
            let abandoned = self.ledger.abandoned(now, began);
            let may_end = |job: &Job| {
                let silent = |agent| now.since(agents.last_heard(agent)) > PATIENCE.lost;
                let late = job.queue_until.is_some_and(|until| until < now);
                if job.state.is_waiting() {
                    late
                } else {
                    let is_lost = job.agent.as_ref().is_some_and(silent);
                    job.acknowledged && (is_lost || abandoned.contains(&job.id))
                }
            };
            let outcome = self.write(may_end, move |tx, _| {
                let heard = |agent: &AgentName| writers.last_heard(agent);
                sabotage::act(sabotage, tx, now, one, &patience, heard)
            })?;
            match outcome {
                Outcome::Done(()) => self.serve()?,
                // Another life, which looks by itself.
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// No more accidents. Some callers finish what they have, the others are gone for good, and time passes.
    fn settle(&mut self, plan: &Plan) -> Verdict {
        self.disk.arm(None);
        self.again = None;
        if !self.disk.is_on() {
            // The power went while the server wrote by itself, and nobody has asked it for anything since.
            self.recover(nothing_ends)?;
        }
        self.set_drained(false)?;
        for agent in 0..AGENTS {
            self.set_aside(agent, false)?;
        }
        for caller in 0..CALLERS.len() {
            self.held.retain(|held| held.caller != caller);
            match self.has[caller].filter(|_| plan.survivors[caller]) {
                Some(id) => self.report(caller, id, End::Complete)?,
                None => self.crash(caller),
            }
        }
        // The first look finds that the clock was set, the second sends back, the third ends.
        for _ in 0..3 {
            self.clock.advance(PATIENCE.lost + Duration::from_secs(1));
            if self.sabotage != Some(Sabotage::NoWatch) {
                self.watch()?;
            }
        }
        let stuck = |job: &&Job| {
            // A caller without a name has no lease: if it is gone, only a person can end its job.
            let leased = job.agent.is_some() || self.ledger.is_acknowledged(job.id);
            !job.state.is_finished() && !job.state.is_waiting() && leased
        };
        match self.picture.jobs.iter().find(stuck) {
            Some(job) => violation(Kind::Stuck, format!("nobody ends {job:#?}")),
            None => Ok(()),
        }
    }

    /// The agents take all that waits, one agent after the other, each job once and in its turn.
    fn take_all(&mut self) -> Verdict {
        let is_waiting = |job: &&Job| job.state.is_waiting();
        let mut waiting = self.picture.jobs.iter().filter(is_waiting).count();
        for agent in 0..AGENTS {
            self.ask(agent, &QUEUES, Fate::Told)?;
            while let Some(id) = self.has[agent] {
                if waiting == 0 {
                    return violation(Kind::TwoOwners, format!("job {id} is there once too often"));
                }
                waiting -= 1;
                self.report(agent, id, End::Complete)?;
                self.ask(agent, &QUEUES, Fate::Told)?;
            }
        }
        if waiting > 0 {
            return violation(Kind::Stuck, "a job waits and nobody gets it");
        }
        self.stop()?;
        self.start()?;
        self.ledger.complete(&self.picture)?;
        self.stop()
    }
}
