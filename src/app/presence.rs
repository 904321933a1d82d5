//! Who is there: when each agent was heard, how to wake the request that it has held, and which addresses are known.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::bells::Bells;
use super::recent::Recent;
use crate::domain::{AgentName, Timestamp, network};

/// How many agents are remembered; cookies can name anybody.
const AGENTS: usize = 20_000;
/// How many addresses are remembered.
const ADDRESSES: usize = 4_096;

/// What is known of callers while the server runs. Nothing of it is stored.
pub struct Presence {
    heard: Mutex<Recent<AgentName>>,
    held: Bells<AgentName>,
    known: Mutex<Recent<IpAddr>>,
    refused: Mutex<Recent<AgentName>>,
}

impl Presence {
    /// Nobody was heard yet. Downtime before `began`, the start of the server, does not count as an agent's silence.
    #[must_use]
    pub fn new(began: Timestamp) -> Self {
        Self {
            heard: Mutex::new(Recent::new(AGENTS, began)),
            held: Bells::default(),
            known: Mutex::new(Recent::new(ADDRESSES, began)),
            refused: Mutex::new(Recent::new(AGENTS, began)),
        }
    }

    /// Notes that an agent has sent a request.
    pub fn hear(&self, agent: &AgentName, now: Timestamp) {
        lock(&self.heard).note(agent, now);
    }

    /// When an agent was last heard; for one that was forgotten, a time that is not before that.
    #[must_use]
    pub fn last_heard(&self, agent: &AgentName) -> Timestamp {
        let heard = lock(&self.heard);
        heard.get(agent).unwrap_or(heard.forgotten())
    }

    /// When an agent last sent a request, if it is remembered.
    #[must_use]
    pub fn heard(&self, agent: &AgentName) -> Option<Timestamp> {
        lock(&self.heard).get(agent)
    }

    /// Notes that a caller whom this server knows has called from an address.
    pub fn meet(&self, address: IpAddr, now: Timestamp) {
        lock(&self.known).note(&network(address), now);
    }

    /// Whether somebody whom this server knows has called from an address.
    #[must_use]
    pub fn is_known(&self, address: IpAddr) -> bool {
        lock(&self.known).get(&network(address)).is_some()
    }

    /// Notes that an agent was refused; says whether that is so for the first time.
    #[must_use]
    pub fn refuse(&self, agent: &AgentName, now: Timestamp) -> bool {
        let mut refused = lock(&self.refused);
        let first = refused.get(agent).is_none();
        refused.note(agent, now);
        first
    }

    /// Ends the held requests of an agent: something about it has changed, so it shall look.
    pub fn release(&self, agent: &AgentName) {
        self.held.ring(agent);
    }

    /// The bells that wake the held requests of agents.
    pub(super) const fn held(&self) -> &Bells<AgentName> {
        &self.held
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
