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
mod tests;
