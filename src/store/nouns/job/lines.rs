//! The waiting jobs of each queue, in the order in which they are handed out, in memory.
//!
//! The tables know the order too, but to say how many jobs stand before one, every row before it would be read.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::reads::names;
use crate::domain::{Job, Place, QueueName, Standing};
use crate::store::engine::observer::{Committed, JobChange, Observed, Observer};
use crate::store::engine::{Error, Rows, Table, Tail};

/// Places that stand in one block, so that no change moves more of them than this.
const BLOCK: usize = 512;

/// The waiting jobs of all queues as of the last commit. Cheap to clone.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<HashMap<QueueName, Line>>>);

impl Lines {
    /// Those that are stored. Reads an index row of each waiting job.
    pub(crate) fn stored(rows: &impl Rows) -> Result<Self, Error> {
        let found = Self::default();
        for table in [Table::Waiting, Table::AwaitingAttachments] {
            for name in names(rows, table)? {
                let queue = QueueName::trusted(name);
                let mut lines = found.lock();
                let line = lines.entry(queue.clone()).or_default();
                rows.scan_prefix(table, &queue.prefix(), None, &mut |key, _| {
                    let mut tail = Tail(key);
                    let (seq, priority) = (tail.number(), tail.priority());
                    line.insert(Place::new(priority, seq));
                    Ok(ControlFlow::Continue(()))
                })?;
            }
        }
        Ok(found)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<QueueName, Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many waiting jobs of its queue stand before this one.
    #[must_use]
    pub fn before(&self, job: &Job) -> u64 {
        self.lock().get(&job.queue).map_or(0, |line| line.before(&job.place()) as u64)
    }

    fn follow(&self, changes: &[JobChange]) {
        let mut lines = self.lock();
        for JobChange { queue, place, before, after } in changes {
            match [before, after].map(|standing| standing.is_some_and(Standing::is_in_queue)) {
                [false, true] => lines.entry(queue.clone()).or_default().insert(*place),
                [true, false] => {
                    if let Some(line) = lines.get_mut(queue) {
                        line.remove(place);
                        if line.0.is_empty() {
                            lines.remove(queue);
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// Keeps the lines up to date, and tells whoever else watches.
pub(crate) struct Follower {
    pub(crate) lines: Lines,
    pub(crate) next: Observed,
}

impl Observer for Follower {
    fn committed(&self, what: &Committed<'_>) {
        self.lines.follow(what.jobs);
        if let Some(next) = self.next.get() {
            next.committed(what);
        }
    }
}

/// The places of one queue in order, cut into blocks, none of which is empty or larger than [`BLOCK`].
#[derive(Default)]
struct Line(Vec<Vec<Place>>);

impl Line {
    /// In which block a place stands, or would stand, and where within.
    fn find(&self, place: &Place) -> (usize, Result<usize, usize>) {
        let at = self.0.partition_point(|block| block.last() < Some(place));
        (at, self.0.get(at).map_or(Err(0), |block| block.binary_search(place)))
    }

    fn before(&self, place: &Place) -> usize {
        let (at, Ok(within) | Err(within)) = self.find(place);
        self.0.iter().take(at).map(Vec::len).sum::<usize>() + within
    }

    fn insert(&mut self, place: Place) {
        let (at, Err(within)) = self.find(&place) else { return };
        match self.0.get_mut(at) {
            Some(block) if block.len() < BLOCK => block.insert(within, place),
            Some(block) => {
                let rest = block.split_off(BLOCK / 2);
                self.0.insert(at + 1, rest);
                self.insert(place);
            }
            // Behind all others, where most jobs go.
            None => match self.0.last_mut() {
                Some(block) if block.len() < BLOCK => block.push(place),
                _ => self.0.push(vec![place]),
            },
        }
    }

    fn remove(&mut self, place: &Place) {
        let (at, Ok(within)) = self.find(place) else { return };
        self.0[at].remove(within);
        if self.0[at].is_empty() {
            self.0.remove(at);
        }
        // Jobs that nobody can have stay where others go by: each would keep a block.
        self.join(at);
        self.join(at.saturating_sub(1));
    }

    /// Makes one block of this one and the next, if both are small.
    fn join(&mut self, at: usize) {
        if let Some([block, next]) = self.0.get_mut(at..at + 2)
            && block.len() + next.len() <= BLOCK / 2
        {
            block.append(next);
            self.0.remove(at + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_line_counts_as_a_sorted_list_does(
            steps in proptest::collection::vec((any::<bool>(), 0_u64..3000), 0..4000),
        ) {
            let (mut line, mut model) = (Line::default(), std::collections::BTreeSet::new());
            // Enough to fill blocks.
            for seq in (0..3000).step_by(2) {
                line.insert(Place::new(0, seq));
                model.insert(Place::new(0, seq));
            }
            for (adds, seq) in steps {
                let place = Place::new(seq.cast_signed() % 3, seq);
                if adds {
                    line.insert(place);
                    model.insert(place);
                } else {
                    line.remove(&place);
                    model.remove(&place);
                }
            }
            prop_assert!(line.0.iter().all(|block| (1..=BLOCK).contains(&block.len())));
            prop_assert!(line.0.iter().flatten().eq(&model));
            for (before, place) in model.iter().enumerate() {
                prop_assert_eq!(line.before(place), before);
            }
        }
    }

    #[test]
    fn the_few_that_stay_take_little_room() {
        let mut line = Line::default();
        for seq in 0..100_000 {
            line.insert(Place::new(0, seq));
            if seq >= 1000 && seq % 500 != 0 {
                line.remove(&Place::new(0, seq - 1000));
            }
        }
        for seq in 99_000..100_000 {
            line.remove(&Place::new(0, seq));
        }
        assert!(line.0.len() <= 3, "{} blocks", line.0.len());
    }
}
