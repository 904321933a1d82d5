//! The brake on guessing client secrets.
//!
//! Failures are counted per address and per (client id, address), never per id alone, because otherwise anybody could
//! lock out a client by failing in its name.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::domain::Timestamp;

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

/// Too many failures: try again after this many whole seconds (at least 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many logins have failed; try again in {0} seconds")]
pub struct RetryAfter(pub u64);

/// Counts failed logins. Callers call `check` before they look at a secret, and report the outcome afterwards.
///
/// Logins that are checked at the same moment all pass before the first failure is counted. The pool of
/// [`Passwords`](super::passwords::Passwords) bounds their number.
pub struct Throttle {
    limits: Limits,
    entries: Mutex<HashMap<Key, PaidOff>>,
}

/// When the debt of a key will be paid off, in microseconds since the Unix epoch. Every failure adds `window / limit`
/// to the debt, and time pays it off, so one number per key is enough however many failures there were.
type PaidOff = i64;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    network: IpAddr,
    /// The SHA-256 of the client id, so that an id of 10 kB takes no more room than any other. `None` stands for the
    /// address as a whole.
    id: Option<[u8; 32]>,
}

impl Throttle {
    /// Nobody has failed yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, entries: Mutex::default() }
    }

    /// Whether this client may try now. Counts nothing.
    ///
    /// # Errors
    /// [`RetryAfter`] when either limit is used up.
    pub fn check(&self, id: &str, addr: IpAddr, now: Timestamp) -> Result<(), RetryAfter> {
        let entries = self.lock();
        let wait = self
            .keys(id, addr)
            .into_iter()
            .map(|(key, limit)| {
                let debt = entries.get(&key).map_or(0, |paid| self.debt(*paid, now));
                // One more failure must still fit; `cost * limit` is the whole limit.
                let cost = self.cost(limit);
                debt - (cost * i64::from(limit) - cost)
            })
            .max()
            .unwrap_or(0);
        if wait <= 0 {
            return Ok(());
        }
        Err(RetryAfter(wait.unsigned_abs().div_ceil(MICROS_PER_SEC.unsigned_abs())))
    }

    /// Counts a failed login.
    pub fn failed(&self, id: &str, addr: IpAddr, now: Timestamp) {
        let mut entries = self.lock();
        for (key, limit) in self.keys(id, addr) {
            if !entries.contains_key(&key) {
                self.make_room(&mut entries, now);
            }
            let paid = entries.entry(key).or_insert(now.as_micros());
            let cost = self.cost(limit);
            // The debt is capped, so that a burst of parallel failures waits no longer than one window.
            let debt = (self.debt(*paid, now) + cost).min(cost * i64::from(limit));
            *paid = now.as_micros().saturating_add(debt);
        }
    }

    /// Forgives the pair of id and address. The address keeps its debt, because one valid account must not give an
    /// attacker unlimited guesses at the others.
    pub fn succeeded(&self, id: &str, addr: IpAddr) {
        let [(pair, _), _] = self.keys(id, addr);
        self.lock().remove(&pair);
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

    /// The rest of the debt, from 0 to one window. A larger one can only mean that the clock was set back; it is
    /// dropped, because it might not be paid off for years.
    fn debt(&self, paid: PaidOff, now: Timestamp) -> i64 {
        let debt = paid.saturating_sub(now.as_micros());
        if (0..=self.window()).contains(&debt) { debt } else { 0 }
    }

    /// Makes room. A flood of addresses pushes out its own single failures and not those who fail again and again.
    fn make_room(&self, entries: &mut HashMap<Key, PaidOff>, now: Timestamp) {
        if entries.len() < self.limits.max_entries.max(1) {
            return;
        }
        entries.retain(|_, paid| self.debt(*paid, now) > 0);
        while entries.len() >= self.limits.max_entries.max(1) {
            let least = entries.iter().min_by_key(|(_, paid)| **paid).map(|(key, _)| *key);
            let Some(least) = least else { return };
            entries.remove(&least);
        }
    }

    /// Poison is ignored, because a lost count is better than refusing every login.
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, PaidOff>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// IPv4 counts by address and IPv6 by /64, because one host can use a whole /64. `::ffff:a.b.c.d` counts as IPv4,
/// because otherwise the whole IPv4 internet would be one network.
fn network(addr: IpAddr) -> IpAddr {
    match addr.to_canonical() {
        IpAddr::V6(addr) => Ipv6Addr::from_bits(addr.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
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
            throttle.failed(id, addr(from), now);
        }
    }

    fn entries(throttle: &Throttle) -> usize {
        throttle.lock().len()
    }

    #[test]
    fn the_eleventh_failure_in_a_row_has_to_wait() {
        let throttle = Throttle::new(Limits::default());
        for _ in 0..10 {
            assert_eq!(throttle.check("x", addr(ME), at(0)), Ok(()));
            throttle.failed("x", addr(ME), at(0));
        }
        assert_eq!(throttle.check("x", addr(ME), at(0)), Err(RetryAfter(30)));
        assert_eq!(throttle.check("x", addr(ME), at(29)), Err(RetryAfter(1)));
        assert_eq!(throttle.check("x", addr(ME), at(30)), Ok(()));
    }

    #[test]
    fn waiting_as_long_as_told_is_enough_and_a_moment_less_is_not() {
        let throttle =
            Throttle::new(Limits { per_client: 7, window_secs: 100, ..Limits::default() });
        fail(&throttle, 7, "x", ME, at(0));
        let RetryAfter(secs) = throttle.check("x", addr(ME), at(0)).unwrap_err();
        assert_eq!(secs, 15);
        assert!(throttle.check("x", addr(ME), at(14)).is_err());
        assert!(throttle.check("x", addr(ME), at(15)).is_ok());
    }

    #[test]
    fn everything_is_forgotten_after_a_window() {
        let throttle = Throttle::new(Limits::default());
        fail(&throttle, 500, "x", ME, at(0));
        fail(&throttle, 9, "x", ME, at(300));
        assert_eq!(throttle.check("x", addr(ME), at(300)), Ok(()));
    }

    #[test]
    fn a_sustained_guesser_gets_one_try_per_half_minute() {
        let throttle = Throttle::new(Limits::default());
        let mut tries = 0;
        for second in 0..3600 {
            while throttle.check("x", addr(ME), at(second)).is_ok() {
                throttle.failed("x", addr(ME), at(second));
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
        assert!(throttle.check("admin", addr("198.51.100.7"), at(0)).is_err());
        assert_eq!(throttle.check("admin", addr(ME), at(0)), Ok(()));
        assert_eq!(throttle.check("other", addr("198.51.100.7"), at(0)), Ok(()));
    }

    #[test]
    fn trying_many_ids_uses_up_the_address() {
        let throttle = Throttle::new(Limits::default());
        for id in 0..100 {
            assert_eq!(throttle.check(&id.to_string(), addr(ME), at(0)), Ok(()));
            fail(&throttle, 1, &id.to_string(), ME, at(0));
        }
        assert_eq!(throttle.check("fresh", addr(ME), at(0)), Err(RetryAfter(3)));
        assert_eq!(throttle.check("fresh", addr("192.0.2.2"), at(0)), Ok(()));
    }

    #[test]
    fn success_clears_the_pair_but_not_the_address() {
        let throttle = Throttle::new(Limits { per_address: 12, ..Limits::default() });
        fail(&throttle, 10, "x", ME, at(0));
        throttle.succeeded("x", addr(ME));
        assert_eq!(throttle.check("x", addr(ME), at(0)), Ok(()));
        fail(&throttle, 2, "x", ME, at(0));
        assert!(throttle.check("x", addr(ME), at(0)).is_err(), "the address has had its 12");
        throttle.succeeded("never seen", addr(ME));
        assert!(throttle.check("y", addr(ME), at(0)).is_err());
    }

    #[test]
    fn ipv6_is_counted_by_64_and_mapped_ipv4_by_address() {
        let throttle = Throttle::new(Limits::default());
        for host in 0..10 {
            fail(&throttle, 1, "x", &format!("2001:db8:0:1::{host:x}"), at(0));
        }
        assert!(throttle.check("x", addr("2001:db8:0:1:ffff::1"), at(0)).is_err());
        assert!(throttle.check("x", addr("2001:db8:0:2::1"), at(0)).is_ok());
        fail(&throttle, 10, "x", "::ffff:192.0.2.1", at(0));
        assert!(throttle.check("x", addr(ME), at(0)).is_err());
        assert!(throttle.check("x", addr("::ffff:192.0.2.2"), at(0)).is_ok());
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
        assert!(throttle.check(&"x".repeat(10_000), addr(ME), at(1)).is_err());
        // Debts that are paid off go first.
        fail(&throttle, 1, "y", ME, at(1000));
        assert_eq!(entries(&throttle), 2);
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out() {
        let throttle = Throttle::new(Limits::default());
        fail(&throttle, 10, "x", ME, at(1_000_000));
        assert_eq!(throttle.check("x", addr(ME), at(0)), Ok(()));
        fail(&throttle, 10, "x", ME, at(0));
        assert_eq!(throttle.check("x", addr(ME), at(0)), Err(RetryAfter(30)));
        for extreme in [i64::MIN, i64::MAX].map(Timestamp::from_micros) {
            fail(&throttle, 20, "y", ME, extreme);
            let _ = throttle.check("y", addr(ME), extreme);
            let _ = throttle.check("y", addr(ME), at(0));
        }
    }

    #[test]
    fn odd_limits_do_not_panic() {
        let odd =
            |n, window_secs| Limits { per_client: n, per_address: n, window_secs, max_entries: 0 };
        let strict = Throttle::new(Limits { max_entries: 10, ..odd(0, 60) });
        fail(&strict, 1, "x", ME, at(0));
        assert_eq!(strict.check("x", addr(ME), at(0)), Err(RetryAfter(60)));
        for limits in
            [odd(0, 0), odd(u32::MAX, u32::MAX), odd(u32::MAX, 1), odd(1, 0), odd(1, u32::MAX)]
        {
            let throttle = Throttle::new(limits);
            fail(&throttle, 5, "", ME, at(0));
            let _ = throttle.check("", addr(ME), at(0));
            assert!(entries(&throttle) <= 1);
        }
    }
}
