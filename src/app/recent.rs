//! When somebody was last seen, for a bounded number of them.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use crate::domain::Timestamp;

/// The last time for each key. Whoever can make keys up must not be able to fill the memory, so the older half is
/// forgotten when there are too many.
pub(super) struct Recent<K> {
    most: usize,
    last: HashMap<K, Timestamp>,
    /// Nobody who is forgotten was seen after this.
    forgotten: Timestamp,
}

impl<K: Eq + Hash> Recent<K> {
    /// Nobody was seen yet, nor could be before `began`; remembers up to `most` keys.
    pub(super) fn new(most: usize, began: Timestamp) -> Self {
        Self { most, last: HashMap::new(), forgotten: began }
    }

    /// Notes that somebody is seen.
    pub(super) fn note<Q>(&mut self, key: &Q, now: Timestamp)
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(last) = self.last.get_mut(key) {
            *last = now;
            return;
        }
        if self.last.len() >= self.most {
            self.forget_half();
        }
        self.last.insert(key.to_owned(), now);
    }

    /// When somebody was last seen.
    pub(super) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<Timestamp>
    where
        K: Borrow<Q>,
    {
        self.last.get(key).copied()
    }

    /// The latest time at which somebody who is not remembered can have been seen.
    pub(super) const fn forgotten(&self) -> Timestamp {
        self.forgotten
    }

    /// The clock was set to `now`, ahead by so much. Nobody is seen longer ago because of that, nor in the future.
    pub(super) fn clock_was_set(&mut self, ahead: Duration, now: Timestamp) {
        for last in self.last.values_mut().chain([&mut self.forgotten]) {
            *last = last.plus(ahead).min(now);
        }
    }

    fn forget_half(&mut self) {
        let mut times: Vec<Timestamp> = self.last.values().copied().collect();
        let middle = times.len() / 2;
        let (_, &mut median, _) = times.select_nth_unstable(middle);
        self.last.retain(|_, last| *last > median);
        self.forgotten = self.forgotten.max(median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn a_flood_of_names_takes_no_more_room_than_the_limit() {
        let mut seen = Recent::new(100, at(0));
        for n in 0..10_000 {
            seen.note(&n, at(n));
            assert!(seen.last.len() <= 100);
        }
        let mut at_once = Recent::new(100, at(0));
        (0..10_000).for_each(|n| at_once.note(&n, at(7)));
        assert!(at_once.last.len() <= 100);
    }

    #[test]
    fn nobody_is_seen_longer_ago_or_later_because_the_clock_was_set() {
        let mut seen = Recent::new(100, at(10));
        seen.note("early", at(20));
        seen.note("late", at(90));
        seen.clock_was_set(Duration::from_millis(1), at(1100));
        assert_eq!((seen.get("early"), seen.get("late")), (Some(at(1020)), Some(at(1090))));
        assert_eq!(seen.forgotten(), at(1010));
        // Who was seen after the step, and before it was noticed.
        seen.note("late", at(2050));
        seen.clock_was_set(Duration::from_millis(1), at(2100));
        assert_eq!(seen.get("late"), Some(at(2100)));
        seen.clock_was_set(Duration::ZERO, at(500));
        assert_eq!((seen.get("early"), seen.forgotten()), (Some(at(500)), at(500)));
    }

    #[test]
    fn whoever_is_forgotten_counts_as_seen_no_earlier_than_it_was() {
        let mut seen = Recent::new(100, at(0));
        seen.note("busy", at(1));
        for n in 2..1_000 {
            seen.note(n.to_string().as_str(), at(n));
            let busy = seen.get("busy").unwrap_or(seen.forgotten());
            assert!(busy >= at(1), "a flood must not make anybody look silent");
        }
        assert_eq!(seen.get("busy"), None);
    }
}
