//! Claims that wait: an agent that asks for a job is answered the moment there is one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;

use super::writing::here;
use super::{App, Result};
use crate::domain::Job;
use crate::ops::{self, By, Claimed};
use crate::store::{self, Ask, HeldRequest, Where, WriteTx};

/// Tells the writer when nobody waits any more, however the request ends.
struct Unwanted(Arc<AtomicBool>);

impl Drop for Unwanted {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// A request that is held, as long as it is.
struct Held(App);

impl Held {
    fn new(app: App) -> Self {
        app.metrics().held.inc();
        Self(app)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.metrics().held.dec();
    }
}

impl App {
    /// Claims a job, and waits up to `hold` for one. It goes back unless its caller takes it ([`Delivery::take`]).
    pub async fn claim(&self, ask: Ask, by: By, hold: Duration) -> Result<Option<Delivery>> {
        let (sender, receiver) = oneshot::channel();
        let app = self.clone();
        let reply = move |outcome: std::result::Result<Option<Claimed>, ops::Error>| {
            let delivery = |claimed| Delivery { app, claimed: Some(claimed) };
            // Dropped, wherever nobody takes it.
            let _ = sender.send(outcome.map(|claimed| claimed.map(delivery)));
        };
        let (agent, queues) = (ask.agent.clone(), ask.queues.clone());
        let run = move |tx: &mut WriteTx<'_>, now| ops::claim(tx, now, &ask, &by);
        if hold.is_zero() {
            self.store().submit(here(), run, reply);
            return answer(receiver.await);
        }
        let wanted = Arc::new(AtomicBool::new(true));
        let _unwanted = Unwanted(Arc::clone(&wanted));
        let bell = agent.as_ref().map(|agent| self.presence().held().bell(agent));
        let released = async {
            match &bell {
                Some(bell) => bell.notified().await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(released);
        let _held = Held::new(self.clone());
        self.store().submit_waiting(here(), run, HeldRequest { queues, wanted }, reply);
        let outcome = tokio::select! {
            biased;
            outcome = receiver => answer(outcome),
            () = tokio::time::sleep(hold) => Ok(None),
            () = self.stopping().cancelled() => Ok(None),
            () = &mut released => Ok(None),
        };
        if let Some(agent) = &agent {
            self.presence().held().forget(agent);
        }
        outcome
    }

    fn put_back(&self, job: Job) {
        tracing::debug!(job = %job.id, "the caller was gone; the job goes back");
        self.store().submit(
            Where::Writer,
            move |tx, now| ops::take_back(tx, now, &job),
            |outcome: std::result::Result<(), ops::Error>| {
                if let Err(error) = outcome {
                    tracing::error!(%error, "a job could not be put back");
                }
            },
        );
    }
}

/// A job on its way to the request that asked for it. If that request ends before it takes the job, however it ends, the
/// job goes back.
pub struct Delivery {
    app: App,
    claimed: Option<Claimed>,
}

impl Delivery {
    /// The job.
    #[must_use]
    pub const fn claimed(&self) -> Option<&Claimed> {
        self.claimed.as_ref()
    }

    /// Nothing more can fail: the job stays with its caller.
    #[must_use]
    pub fn take(mut self) -> Option<Claimed> {
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

type Delivered = std::result::Result<Option<Delivery>, ops::Error>;

fn answer<E>(outcome: std::result::Result<Delivered, E>) -> Result<Option<Delivery>> {
    let closed = || Err(store::Error::Closed.into());
    Ok(outcome.unwrap_or_else(|_| closed())?)
}
