//! Held requests: an agent that asks for a job is answered the moment there is one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::app::App;
use super::error::ApiError;
use crate::domain::{AgentName, Timestamp};
use crate::ops::{self, By, Claimed};
use crate::store::{Ask, HeldRequest, Job};

/// Agents are forgotten when there are more and they are silent for an hour: cookies can name anybody.
const REMEMBERED: usize = 20_000;
const FORGET: Duration = Duration::from_hours(1);

/// What is known of agents while the server runs: when each was heard, and how to wake its held request.
pub struct Agents {
    /// Nobody could be heard before: leases stand still while the server is down.
    began: Timestamp,
    heard: Mutex<HashMap<AgentName, Timestamp>>,
    held: Mutex<HashMap<AgentName, Arc<Notify>>>,
}

impl Agents {
    /// Nobody was heard yet.
    #[must_use]
    pub fn new(began: Timestamp) -> Self {
        Self { began, heard: Mutex::default(), held: Mutex::default() }
    }

    /// An agent has sent a request.
    pub fn hear(&self, agent: &AgentName, now: Timestamp) {
        let mut heard = lock(&self.heard);
        if let Some(last) = heard.get_mut(agent) {
            *last = now;
            return;
        }
        if heard.len() >= REMEMBERED {
            heard.retain(|_, last| now.since(*last) < FORGET);
        }
        heard.insert(agent.clone(), now);
    }

    /// When an agent was last heard.
    #[must_use]
    pub fn last_heard(&self, agent: &AgentName) -> Timestamp {
        lock(&self.heard).get(agent).copied().unwrap_or(self.began)
    }

    /// Ends the held requests of an agent: something about it has changed, so it shall look.
    pub fn release(&self, agent: &AgentName) {
        if let Some(held) = lock(&self.held).get(agent) {
            held.notify_waiters();
        }
    }

    fn bell(&self, agent: &AgentName) -> Arc<Notify> {
        Arc::clone(lock(&self.held).entry(agent.clone()).or_default())
    }

    fn forget_bell(&self, agent: &AgentName) {
        let mut held = lock(&self.held);
        // This request's and the map's own.
        if held.get(agent).is_some_and(|bell| Arc::strong_count(bell) <= 2) {
            held.remove(agent);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells the writer when nobody waits any more, however the request ends.
struct Unwanted(Arc<AtomicBool>);

impl Drop for Unwanted {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl App {
    /// Claims a job, and waits up to `hold` for one. A job that is handed out while its caller goes away is put back.
    pub async fn claim(
        &self,
        ask: Ask,
        by: By,
        hold: Duration,
    ) -> Result<Option<Claimed>, ApiError> {
        let (sender, receiver) = oneshot::channel();
        let app = self.clone();
        let reply = move |outcome: Result<Option<Claimed>, ops::Error>| {
            let delivery = |claimed| Delivery { app, claimed: Some(claimed) };
            // Dropped, wherever nobody takes it.
            let _ = sender.send(outcome.map(|claimed| claimed.map(delivery)));
        };
        let (agent, queues) = (ask.agent.clone(), ask.queues.clone());
        let run = move |tx: &mut crate::store::WriteTx<'_>, now| ops::claim(tx, now, &ask, &by);
        if hold.is_zero() {
            self.store().submit(run, reply);
            return answer(receiver.await);
        }
        let wanted = Arc::new(AtomicBool::new(true));
        let _unwanted = Unwanted(Arc::clone(&wanted));
        let bell = agent.as_ref().map(|agent| self.agents().bell(agent));
        let released = async {
            match &bell {
                Some(bell) => bell.notified().await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(released);
        self.store().submit_waiting(run, HeldRequest { queues, wanted }, reply);
        let outcome = tokio::select! {
            biased;
            outcome = receiver => answer(outcome),
            () = tokio::time::sleep(hold) => Ok(None),
            () = self.stopping().cancelled() => Ok(None),
            () = &mut released => Ok(None),
        };
        if let Some(agent) = &agent {
            self.agents().forget_bell(agent);
        }
        outcome
    }

    fn put_back(&self, job: Job) {
        tracing::debug!(job = %job.id, "the caller was gone; the job goes back");
        self.store().submit(
            move |tx, now| ops::take_back(tx, now, &job),
            |outcome: Result<(), ops::Error>| {
                if let Err(error) = outcome {
                    tracing::error!(%error, "a job could not be put back");
                }
            },
        );
    }
}

/// A job on its way to the request that asked for it. If that request ends before it takes the job, however it ends, the
/// job goes back.
struct Delivery {
    app: App,
    claimed: Option<Claimed>,
}

impl Delivery {
    fn take(mut self) -> Option<Claimed> {
        self.claimed.take()
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        // One that is handed to its agent again stays with that agent.
        if let Some(claimed) = self.claimed.take().filter(|claimed| claimed.fresh) {
            self.app.put_back(claimed.job);
        }
    }
}

fn answer<E>(
    outcome: Result<Result<Option<Delivery>, ops::Error>, E>,
) -> Result<Option<Claimed>, ApiError> {
    let closed = || Err(crate::store::Error::Closed.into());
    Ok(outcome.unwrap_or_else(|_| closed())?.and_then(Delivery::take))
}
