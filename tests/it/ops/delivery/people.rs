//! What people do to jobs, agents and the server, and what agents say of themselves.

use testflinger_server::domain::{AgentPost, Clock, JobId, Provision};
use testflinger_server::ops;
use testflinger_server::store::{AgentReads, WriteTx};

use super::ledger::{Kind, Verdict, violation};
use super::plan::{AGENTS, CALLERS, QUEUES};
use super::sabotage;
use super::turns::nothing_ends;
use super::world::{Outcome, World};
use crate::support::{by, queues as names};

/// So many failures in a row set an agent aside.
const QUARANTINE: u64 = 2;

impl World<'_> {
    pub(super) fn cancel(&mut self, id: JobId) -> Verdict {
        let outcome =
            self.write(|job| job.id == id, move |tx, now| ops::cancel(tx, now, id, &by(None)))?;
        let finished = self.picture.job(id).is_some_and(|job| job.state.is_finished());
        if !finished && !matches!(outcome, Outcome::Undone) {
            return violation(Kind::Lost, format!("job {id} was cancelled and goes on"));
        }
        Ok(())
    }

    /// The agents say once which queues they serve.
    pub(super) fn enrol(&mut self) -> Verdict {
        for agent in &CALLERS[..AGENTS] {
            let who = by(*agent);
            let Some(name) = who.agent.clone() else { continue };
            loop {
                let known = self.store().read().and_then(|tx| tx.agent(&name));
                if matches!(known, Ok(Some(_))) {
                    break;
                }
                let (name, who) = (name.clone(), who.clone());
                let post = AgentPost { queues: Some(names(&QUEUES)), ..AgentPost::default() };
                let run =
                    move |tx: &mut WriteTx<'_>, now| ops::post_agent(tx, now, &name, &post, &who);
                self.write(nothing_ends, run)?;
            }
        }
        Ok(())
    }

    /// The administrator drains the server, or lets it hand out jobs again.
    pub(super) fn set_drained(&mut self, drained: bool) -> Verdict {
        let run = move |tx: &mut WriteTx<'_>, now| {
            if drained { ops::drain(tx, now).map(drop) } else { ops::resume(tx).map(drop) }
        };
        // Before the write, because held requests are answered in the same one.
        let before = std::mem::replace(&mut self.ledger.drained, drained);
        match self.write(nothing_ends, run)? {
            Outcome::Done(()) => self.serve(),
            Outcome::Landed => Ok(()),
            Outcome::Undone | Outcome::Refused => {
                self.ledger.drained = before;
                Ok(())
            }
        }
    }

    /// The administrator drains an agent, or lets it have jobs again.
    pub(super) fn set_aside(&mut self, agent: usize, aside: bool) -> Verdict {
        let who = by(CALLERS[agent]);
        let Some(name) = who.agent.clone() else { return Ok(()) };
        let run = move |tx: &mut WriteTx<'_>, now| {
            if aside {
                ops::drain_agent(tx, now, &name, "", &who)
            } else {
                ops::resume_agent(tx, now, &name, &who)
            }
        };
        if let Outcome::Undone | Outcome::Refused = self.write(nothing_ends, run)? {
            return Ok(());
        }
        self.ledger.aside[agent] = aside;
        if !aside {
            if !self.ledger.streaks[agent].0 {
                self.ledger.streaks[agent].1 = 0;
            }
            // As the server does: the agent shall ask anew.
            self.held.retain(|held| held.caller != agent);
        }
        Ok(())
    }

    /// An agent reports how a provisioning ended.
    pub(super) fn provision(&mut self, agent: usize, passed: bool) -> Verdict {
        let Some(name) = by(CALLERS[agent]).agent else { return Ok(()) };
        let sabotage = self.sabotage;
        let entry = Provision {
            at: self.clock.now(),
            job_id: String::new(),
            exit_code: i64::from(!passed),
            detail: String::new(),
            submitted_by: None,
        };
        let reported = name.clone();
        let run = move |tx: &mut WriteTx<'_>, now| {
            sabotage::post_provision(sabotage, tx, now, &reported, &entry, QUARANTINE)
        };
        if let Outcome::Undone | Outcome::Refused = self.write(nothing_ends, run)? {
            return Ok(());
        }
        let aside = self.ledger.provisioned(agent, passed, QUARANTINE);
        if aside == self.picture.aside.contains(&name) {
            return Ok(());
        }
        violation(Kind::Quarantined, format!("agent {name} is wrongly set aside, or not"))
    }
}
