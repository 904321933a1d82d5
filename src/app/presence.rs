//! Which agents are there: when each was heard, and how to wake the request that it has held.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::domain::{AgentName, Timestamp};

/// Agents are forgotten when there are more than this and they were silent for [`FORGET`]: cookies can name anybody.
const REMEMBERED: usize = 20_000;
const FORGET: Duration = Duration::from_hours(1);

/// What is known of agents while the server runs. Nothing of it is stored.
pub struct Presence {
    /// When the server started: downtime does not count as an agent's silence.
    began: Timestamp,
    heard: Mutex<HashMap<AgentName, Timestamp>>,
    held: Mutex<HashMap<AgentName, Arc<Notify>>>,
}

impl Presence {
    /// Nobody was heard yet.
    #[must_use]
    pub fn new(began: Timestamp) -> Self {
        Self { began, heard: Mutex::default(), held: Mutex::default() }
    }

    /// Notes that an agent has sent a request.
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

    /// What wakes the held requests of an agent.
    pub(super) fn bell(&self, agent: &AgentName) -> Arc<Notify> {
        Arc::clone(lock(&self.held).entry(agent.clone()).or_default())
    }

    /// Forgets the bell of an agent, unless another of its requests is held.
    pub(super) fn forget_bell(&self, agent: &AgentName) {
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
