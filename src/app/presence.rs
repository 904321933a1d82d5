//! Who is there: when each agent was heard, how to wake the request that it has held, and which addresses are known.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::bells::Bells;
use super::recent::Recent;
use crate::domain::{AgentName, Clock, Timestamp, network};

/// How many agents are remembered; cookies can name anybody.
const AGENTS: usize = 20_000;
/// How many addresses are remembered.
const ADDRESSES: usize = 4_096;
/// By how much the clock must have moved between two looks at it to have been set. Clocks that are kept right gain or lose
/// less than a tenth meanwhile.
const STEP: Duration = Duration::from_secs(1);

/// What is known of callers while the server runs. Nothing of it is stored.
pub struct Presence {
    heard: Mutex<Recent<AgentName>>,
    held: Bells<AgentName>,
    known: Mutex<Recent<IpAddr>>,
    refused: Mutex<Recent<AgentName>>,
    /// Since when anybody could be heard, and the clock's origin at the last look.
    listening: Mutex<(Timestamp, Timestamp)>,
}

impl Presence {
    /// Nobody was heard yet. Downtime before the start of the server does not count as an agent's silence.
    #[must_use]
    pub fn new(clock: &dyn Clock) -> Self {
        let (origin, began) = (clock.origin(), clock.now());
        Self {
            listening: Mutex::new((began, origin)),
            heard: Mutex::new(Recent::new(AGENTS, began)),
            held: Bells::default(),
            known: Mutex::new(Recent::new(ADDRESSES, began)),
            refused: Mutex::new(Recent::new(AGENTS, began)),
        }
    }

    /// The time, and since when anybody could be heard by the clock that tells it. When the clock was set, what it said
    /// before means nothing by itself any more, so that is as if the server had been down until now.
    #[must_use]
    pub fn listening(&self, clock: &dyn Clock) -> (Timestamp, Timestamp) {
        let mut listening = lock(&self.listening);
        // In this order, and again below: a time from before the step must not meet what is noted after it.
        let (now, origin) = (clock.now(), clock.origin());
        let before = std::mem::replace(&mut listening.1, origin);
        let (ahead, behind) = (origin.since(before), before.since(origin));
        if ahead.max(behind) < STEP {
            return (now, listening.0);
        }
        let now = clock.now();
        listening.0 = now;
        tracing::warn!(
            ahead = ahead.as_secs(),
            behind = behind.as_secs(),
            "the clock was set to {now}: jobs that agents have are given their time anew"
        );
        lock(&self.heard).clock_was_set(ahead, now);
        lock(&self.known).clock_was_set(ahead, now);
        lock(&self.refused).clock_was_set(ahead, now);
        (now, now)
    }

    /// Notes that an agent has sent a request. What it asks for is written down with the time of now, so a clock that was
    /// set is noticed before: set back again, it would otherwise leave a time that is still to come.
    pub fn hear(&self, agent: &AgentName, clock: &dyn Clock) {
        let (now, _) = self.listening(clock);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ManualClock;

    const HOUR: Duration = Duration::from_hours(1);
    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn a_clock_that_is_set_makes_nobody_silent_and_begins_anew() {
        let clock = ManualClock::new(Timestamp::from_micros(1_795_435_200_000_000));
        let presence = Presence::new(&clock);
        let began = clock.now();
        let [rig, gone] = ["rig", "gone"].map(|name| AgentName::trusted(name.to_owned()));
        presence.hear(&gone, &clock);
        clock.advance(MINUTE);
        presence.hear(&rig, &clock);
        clock.advance(MINUTE);
        assert_eq!(presence.listening(&clock), (clock.now(), began), "time passes");
        let silence = |agent| clock.now().since(presence.last_heard(agent));
        for step in [clock.now().plus(HOUR), clock.now().minus(HOUR)] {
            clock.set(step);
            assert_eq!(presence.listening(&clock), (step, step));
            assert!(silence(&rig) <= MINUTE && silence(&gone) <= 2 * MINUTE);
            clock.advance(Duration::from_millis(10));
            assert_eq!(presence.listening(&clock), (clock.now(), step), "once");
        }
        clock.advance(HOUR);
        assert!(silence(&rig) >= HOUR && silence(&gone) >= HOUR);
    }

    #[test]
    fn an_agent_that_is_heard_while_the_clock_is_wrong_is_heard_now_when_it_is_right_again() {
        let clock = ManualClock::new(Timestamp::from_micros(1_795_435_200_000_000));
        let presence = Presence::new(&clock);
        clock.advance(HOUR);
        let (right, rig) = (clock.now(), AgentName::trusted("rig".to_owned()));
        clock.set(right.plus(HOUR));
        presence.hear(&rig, &clock);
        clock.set(right);
        assert_eq!(presence.listening(&clock), (right, right));
        assert_eq!(presence.last_heard(&rig), right);
    }

    #[test]
    fn a_clock_that_is_kept_right_was_not_set() {
        let clock = ManualClock::new(Timestamp::from_micros(1_795_435_200_000_000));
        let presence = Presence::new(&clock);
        let began = clock.now();
        for _ in 0..100 {
            clock.set(clock.now().plus(Duration::from_millis(500)));
            assert_eq!(presence.listening(&clock).1, began);
        }
    }
}
