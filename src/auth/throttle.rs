//! The brake on guessing client secrets.
//!
//! Failures are counted per address and per (client id, address), never per id alone, because otherwise anybody could
//! lock out a client by failing in its name.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::domain::{Timestamp, network};

const MICROS_PER_SEC: i64 = 1_000_000;

/// How many failures are forgiven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many failures of one client id from one address are forgiven; 0 counts as 1.
    pub per_client: u32,
    /// How many failures of one address are forgiven, whatever the ids; 0 counts as 1.
    pub per_address: u32,
    /// In how many seconds a whole limit of failures is forgotten, evenly: 10 failures in 300 s means one every 30 s. 0
    /// forgets at once.
    pub window_secs: u32,
    /// How many entries are kept. A failure adds at most two; those with the least debt go first. 0 counts as 1.
    pub max_entries: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { per_client: 10, per_address: 100, window_secs: 300, max_entries: 10_000 }
    }
}

/// Why a client may not try now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wait {
    /// Too many failures: try again after this many whole seconds (at least 1).
    #[error("Too many failed logins, retry in {0} seconds")]
    Seconds(u64),
    /// As many tries as could still fail are being judged at this moment.
    #[error("Too many logins are being judged")]
    OthersAreJudged,
}

/// Counts failed logins. Callers take a [`Guess`] before they look at a secret and report the outcome after.
///
/// A guess that is being judged takes the place of the failure that it may become. Otherwise any number of guesses made at
/// the same moment would pass before the first failure is counted.
pub struct Throttle {
    limits: Limits,
    entries: Mutex<HashMap<Key, Entry>>,
}

#[derive(Clone, Copy)]
struct Entry {
    /// Every failure adds `window / limit` to a debt that time pays off; this is when it is paid, in microseconds since the
    /// epoch. One number per key, however many failures.
    paid: i64,
    /// Guesses that are being judged.
    judged: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    network: IpAddr,
    /// The SHA-256 of the client id, so that an id of 10 kB takes no more room than any other. `None` stands for the
    /// address as a whole.
    id: Option<[u8; 32]>,
}

/// The right to try one secret. A guess that is dropped unjudged counts as a failure: whoever hangs up early has cost
/// as much.
#[must_use]
pub struct Guess<'a> {
    throttle: &'a Throttle,
    keys: [(Key, u32); 2],
    at: Timestamp,
    outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Failed,
    Succeeded,
    /// Nothing was said about the secret.
    Unjudged,
}

impl Guess<'_> {
    /// The secret was right. That forgives the pair of id and address; the address keeps its debt: one valid account must
    /// not buy an attacker unlimited guesses at the others.
    pub fn succeeded(mut self) {
        self.outcome = Outcome::Succeeded;
    }

    /// The server did not get to look at the secret, so nothing counts.
    pub fn was_not_judged(mut self) {
        self.outcome = Outcome::Unjudged;
    }
}

impl Drop for Guess<'_> {
    fn drop(&mut self) {
        self.throttle.settle(&self.keys, self.at, self.outcome);
    }
}

impl Throttle {
    /// Nobody has failed yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, entries: Mutex::default() }
    }

    /// May this client try now?
    ///
    /// # Errors
    /// [`Wait`] when either limit is used up, or may be by those who try at this moment.
    pub fn guess(&self, id: &str, addr: IpAddr, now: Timestamp) -> Result<Guess<'_>, Wait> {
        let mut entries = self.lock();
        let keys = self.keys(id, addr);
        let (mut wait, mut wait_for_others) = (0, 0);
        for (key, limit) in &keys {
            let Some(entry) = entries.get(key) else { continue };
            // Room for one more failure is needed; `cost * limit` is the full measure.
            let cost = self.cost(*limit);
            let over = self.debt(entry.paid, now) - (cost * i64::from(*limit) - cost);
            wait = wait.max(over);
            wait_for_others =
                wait_for_others.max(over.saturating_add(cost.saturating_mul(entry.judged.into())));
            // Where a failure costs nothing, only the number says how many are judged.
            if entry.judged >= *limit {
                wait_for_others = wait_for_others.max(1);
            }
        }
        if wait > 0 {
            return Err(Wait::Seconds(wait.unsigned_abs().div_ceil(MICROS_PER_SEC.unsigned_abs())));
        }
        if wait_for_others > 0 {
            return Err(Wait::OthersAreJudged);
        }
        for (key, _) in &keys {
            if !entries.contains_key(key) {
                self.make_room(&mut entries, now);
            }
            let entry = entries.entry(*key).or_insert(Entry { paid: now.as_micros(), judged: 0 });
            entry.judged += 1;
        }
        drop(entries);
        Ok(Guess { throttle: self, keys, at: now, outcome: Outcome::Failed })
    }

    fn settle(&self, keys: &[(Key, u32); 2], now: Timestamp, outcome: Outcome) {
        let mut entries = self.lock();
        for (key, limit) in keys {
            let Some(entry) = entries.get_mut(key) else { continue };
            entry.judged = entry.judged.saturating_sub(1);
            match outcome {
                Outcome::Failed => {
                    let cost = self.cost(*limit);
                    // Capped, so that nobody waits for longer than a full measure.
                    let debt = (self.debt(entry.paid, now) + cost).min(cost * i64::from(*limit));
                    entry.paid = now.as_micros().saturating_add(debt);
                }
                Outcome::Succeeded if key.id.is_some() => entry.paid = now.as_micros(),
                Outcome::Succeeded | Outcome::Unjudged => {}
            }
            if entry.judged == 0 && self.debt(entry.paid, now) == 0 {
                entries.remove(key);
            }
        }
    }

    fn keys(&self, id: &str, addr: IpAddr) -> [(Key, u32); 2] {
        let network = network(addr);
        let id = Sha256::digest(id.as_bytes()).into();
        [
            (Key { network, id: Some(id) }, self.limits.per_client.max(1)),
            (Key { network, id: None }, self.limits.per_address.max(1)),
        ]
    }

    fn window(&self) -> i64 {
        i64::from(self.limits.window_secs) * MICROS_PER_SEC
    }

    /// The debt of one failure in microseconds.
    fn cost(&self, limit: u32) -> i64 {
        self.window() / i64::from(limit)
    }

    /// What is left to pay, 0 to a window. More than a window can only mean that the clock was set
    /// back; that debt is dropped, because it might not be paid off for years.
    fn debt(&self, paid: i64, now: Timestamp) -> i64 {
        let debt = paid.saturating_sub(now.as_micros());
        if (0..=self.window()).contains(&debt) { debt } else { 0 }
    }

    /// A flood of addresses pushes out its own single failures, not the repeated offenders. What is being judged stays.
    fn make_room(&self, entries: &mut HashMap<Key, Entry>, now: Timestamp) {
        if entries.len() < self.limits.max_entries.max(1) {
            return;
        }
        entries.retain(|_, entry| entry.judged > 0 || self.debt(entry.paid, now) > 0);
        while entries.len() >= self.limits.max_entries.max(1) {
            let settled = entries.iter().filter(|(_, entry)| entry.judged == 0);
            let least = settled.min_by_key(|(_, entry)| entry.paid).map(|(key, _)| *key);
            let Some(least) = least else { return };
            entries.remove(&least);
        }
    }

    /// Poison is ignored: a lost count is better than refusing every login.
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    const ME: &str = "192.0.2.1";

    fn addr(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_micros(1_800_000_000_000_000 + secs * MICROS_PER_SEC)
    }

    fn fail(throttle: &Throttle, times: usize, id: &str, from: &str, now: Timestamp) {
        for _ in 0..times {
            throttle.settle(&throttle.noted(id, addr(from), now), now, Outcome::Failed);
        }
    }

    /// Whether somebody may try, without counting anything.
    fn check(throttle: &Throttle, id: &str, from: IpAddr, now: Timestamp) -> Result<(), Wait> {
        throttle.guess(id, from, now).map(Guess::was_not_judged)
    }

    impl Throttle {
        /// The keys of a guess that is judged whether it may be or not.
        fn noted(&self, id: &str, addr: IpAddr, now: Timestamp) -> [(Key, u32); 2] {
            let keys = self.keys(id, addr);
            let mut entries = self.lock();
            for (key, _) in &keys {
                if !entries.contains_key(key) {
                    self.make_room(&mut entries, now);
                }
                entries.entry(*key).or_insert(Entry { paid: now.as_micros(), judged: 0 }).judged +=
                    1;
            }
            keys
        }
    }

    fn entries(throttle: &Throttle) -> usize {
        throttle.lock().len()
    }

    #[test]
    fn the_eleventh_failure_in_a_row_has_to_wait() {
        let throttle = Throttle::new(Limits::default());
        for _ in 0..10 {
            assert_eq!(check(&throttle, "x", addr(ME), at(0)), Ok(()));
            drop(throttle.guess("x", addr(ME), at(0)));
        }
        assert_eq!(check(&throttle, "x", addr(ME), at(0)), Err(Wait::Seconds(30)));
        assert_eq!(check(&throttle, "x", addr(ME), at(29)), Err(Wait::Seconds(1)));
        assert_eq!(check(&throttle, "x", addr(ME), at(30)), Ok(()));
    }

    #[test]
    fn waiting_as_long_as_told_is_enough_and_a_moment_less_is_not() {
        let throttle =
            Throttle::new(Limits { per_client: 7, window_secs: 100, ..Limits::default() });
        fail(&throttle, 7, "x", ME, at(0));
        let Err(Wait::Seconds(secs)) = check(&throttle, "x", addr(ME), at(0)) else {
            panic!("it must wait");
        };
        assert_eq!(secs, 15);
        assert!(check(&throttle, "x", addr(ME), at(14)).is_err());
        assert!(check(&throttle, "x", addr(ME), at(15)).is_ok());
    }

    #[test]
    fn everything_is_forgotten_after_a_window() {
        let throttle = Throttle::new(Limits::default());
        fail(&throttle, 500, "x", ME, at(0));
        fail(&throttle, 9, "x", ME, at(300));
        assert_eq!(check(&throttle, "x", addr(ME), at(300)), Ok(()));
    }

    #[test]
    fn a_sustained_guesser_gets_one_try_per_half_minute() {
        let throttle = Throttle::new(Limits::default());
        let mut tries = 0;
        for second in 0..3600 {
            while check(&throttle, "x", addr(ME), at(second)).is_ok() {
                drop(throttle.guess("x", addr(ME), at(second)));
                tries += 1;
            }
        }
        assert_eq!(tries, 10 + 3599 / 30);
    }

    #[test]
    fn failures_elsewhere_never_lock_a_client_out() {
        let throttle = Throttle::new(Limits::default());
        for host in 0..200 {
            fail(&throttle, 10, "admin", &format!("198.51.100.{host}"), at(0));
        }
        assert!(check(&throttle, "admin", addr("198.51.100.7"), at(0)).is_err());
        assert_eq!(check(&throttle, "admin", addr(ME), at(0)), Ok(()));
        assert_eq!(check(&throttle, "other", addr("198.51.100.7"), at(0)), Ok(()));
    }

    #[test]
    fn trying_many_ids_uses_up_the_address() {
        let throttle = Throttle::new(Limits::default());
        for id in 0..100 {
            assert_eq!(check(&throttle, &id.to_string(), addr(ME), at(0)), Ok(()));
            fail(&throttle, 1, &id.to_string(), ME, at(0));
        }
        assert_eq!(check(&throttle, "fresh", addr(ME), at(0)), Err(Wait::Seconds(3)));
        assert_eq!(check(&throttle, "fresh", addr("192.0.2.2"), at(0)), Ok(()));
    }

    #[test]
    fn success_clears_the_pair_but_not_the_address() {
        let throttle = Throttle::new(Limits { per_address: 12, ..Limits::default() });
        fail(&throttle, 10, "x", ME, at(0));
        throttle.settle(&throttle.noted("x", addr(ME), at(0)), at(0), Outcome::Succeeded);
        assert_eq!(check(&throttle, "x", addr(ME), at(0)), Ok(()));
        fail(&throttle, 2, "x", ME, at(0));
        assert!(check(&throttle, "x", addr(ME), at(0)).is_err(), "the address has had its 12");
        assert!(check(&throttle, "y", addr(ME), at(0)).is_err());
    }

    #[test]
    fn ipv6_is_counted_by_64_and_mapped_ipv4_by_address() {
        let throttle = Throttle::new(Limits::default());
        for host in 0..10 {
            fail(&throttle, 1, "x", &format!("2001:db8:0:1::{host:x}"), at(0));
        }
        assert!(check(&throttle, "x", addr("2001:db8:0:1:ffff::1"), at(0)).is_err());
        assert!(check(&throttle, "x", addr("2001:db8:0:2::1"), at(0)).is_ok());
        fail(&throttle, 10, "x", "::ffff:192.0.2.1", at(0));
        assert!(check(&throttle, "x", addr(ME), at(0)).is_err());
        assert!(check(&throttle, "x", addr("::ffff:192.0.2.2"), at(0)).is_ok());
    }

    #[test]
    fn memory_is_bounded_and_a_flood_does_not_free_the_guilty() {
        let throttle = Throttle::new(Limits { max_entries: 100, ..Limits::default() });
        fail(&throttle, 10, &"x".repeat(10_000), ME, at(0));
        for host in 0..2000_u32 {
            let from = Ipv6Addr::from_bits(u128::from(host) << 64).to_string();
            fail(&throttle, 1, &host.to_string(), &from, at(1));
            assert!(entries(&throttle) <= 100);
        }
        assert!(check(&throttle, &"x".repeat(10_000), addr(ME), at(1)).is_err());
        // What is paid off goes first.
        fail(&throttle, 1, "y", ME, at(1000));
        assert_eq!(entries(&throttle), 2);
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out() {
        let throttle = Throttle::new(Limits::default());
        fail(&throttle, 10, "x", ME, at(1_000_000));
        assert_eq!(check(&throttle, "x", addr(ME), at(0)), Ok(()));
        fail(&throttle, 10, "x", ME, at(0));
        assert_eq!(check(&throttle, "x", addr(ME), at(0)), Err(Wait::Seconds(30)));
        for extreme in [i64::MIN, i64::MAX].map(Timestamp::from_micros) {
            fail(&throttle, 20, "y", ME, extreme);
            let _ = check(&throttle, "y", addr(ME), extreme);
            let _ = check(&throttle, "y", addr(ME), at(0));
        }
    }

    #[test]
    fn guesses_made_at_the_same_moment_do_not_pass_the_limit() {
        let throttle = Throttle::new(Limits::default());
        let judged: Vec<_> =
            (0..64).map_while(|_| throttle.guess("x", addr(ME), at(0)).ok()).collect();
        assert_eq!(judged.len(), 10);
        assert_eq!(throttle.guess("x", addr(ME), at(0)).err(), Some(Wait::OthersAreJudged));
        assert_eq!(check(&throttle, "y", addr(ME), at(0)), Ok(()));
        drop(judged);
        assert_eq!(check(&throttle, "x", addr(ME), at(0)), Err(Wait::Seconds(30)));
    }

    #[test]
    fn many_who_know_the_secret_all_get_in() {
        let throttle = Throttle::new(Limits::default());
        for _ in 0..30 {
            let judged: Vec<_> =
                (0..10).map(|_| throttle.guess("x", addr(ME), at(0)).unwrap()).collect();
            judged.into_iter().for_each(Guess::succeeded);
        }
        assert_eq!(entries(&throttle), 0);
    }

    #[test]
    fn odd_limits_do_not_panic() {
        let odd =
            |n, window_secs| Limits { per_client: n, per_address: n, window_secs, max_entries: 0 };
        let strict = Throttle::new(Limits { max_entries: 10, ..odd(0, 60) });
        fail(&strict, 1, "x", ME, at(0));
        assert_eq!(check(&strict, "x", addr(ME), at(0)), Err(Wait::Seconds(60)));
        for limits in
            [odd(0, 0), odd(u32::MAX, u32::MAX), odd(u32::MAX, 1), odd(1, 0), odd(1, u32::MAX)]
        {
            let throttle = Throttle::new(limits);
            fail(&throttle, 5, "", ME, at(0));
            let _ = check(&throttle, "", addr(ME), at(0));
            assert!(entries(&throttle) <= 2);
        }
    }
}
