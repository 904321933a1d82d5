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
#[derive(Clone, Debug, Default)]
pub struct Lines(Arc<Mutex<HashMap<QueueName, Line>>>);

impl Lines {
    /// Those that are stored. Reads an index row of each waiting job.
    pub(crate) fn stored(rows: &impl Rows) -> Result<Self, Error> {
        let found = Self::default();
        for (table, standing) in [
            (Table::Waiting, Standing::Waiting),
            (Table::AwaitingAttachments, Standing::AwaitingAttachments),
        ] {
            for name in names(rows, table)? {
                let queue = QueueName::trusted(name);
                let mut lines = found.lock();
                let line = lines.entry(queue.clone()).or_default();
                rows.scan_prefix(table, &queue.prefix(), None, &mut |key, _| {
                    let mut tail = Tail(key);
                    let (seq, priority) = (tail.number(), tail.priority());
                    line.enter(Place::new(priority, seq), standing);
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

    /// How many jobs wait in a queue.
    #[must_use]
    pub fn length(&self, queue: &QueueName) -> usize {
        self.lock().get(queue).map_or(0, Line::length)
    }

    /// How many jobs wait in all queues.
    #[must_use]
    pub fn total(&self) -> usize {
        self.lock().values().map(Line::length).sum()
    }

    /// How many jobs each queue could hand out, where there are any.
    #[must_use]
    pub fn claimable(&self) -> Vec<(QueueName, u64)> {
        let lines = self.lock();
        let counts = lines.iter().map(|(queue, line)| (queue.clone(), line.claimable() as u64));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    fn follow(&self, changes: &[JobChange]) {
        let mut lines = self.lock();
        for JobChange { queue, place, before, after } in changes {
            let [before, after] =
                [before, after].map(|it| it.filter(|standing| standing.is_in_queue()));
            if before.is_none() && after.is_none() {
                continue;
            }
            let line = lines.entry(queue.clone()).or_default();
            if let Some(before) = before {
                line.leave(place, before);
            }
            if let Some(after) = after {
                line.enter(*place, after);
            }
            if line.blocks.is_empty() {
                lines.remove(queue);
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

/// The waiting jobs of one queue.
#[derive(Debug, Default)]
struct Line {
    /// Their places in order, cut into blocks, none of which is empty or larger than [`BLOCK`].
    blocks: Vec<Vec<Place>>,
    /// How many of them wait for their attachments.
    awaiting: usize,
}

impl Line {
    fn enter(&mut self, place: Place, standing: Standing) {
        self.insert(place);
        self.awaiting += usize::from(standing == Standing::AwaitingAttachments);
    }

    fn leave(&mut self, place: &Place, standing: Standing) {
        self.remove(place);
        let one = usize::from(standing == Standing::AwaitingAttachments);
        self.awaiting = self.awaiting.saturating_sub(one);
    }

    fn length(&self) -> usize {
        self.blocks.iter().map(Vec::len).sum()
    }

    fn claimable(&self) -> usize {
        self.length().saturating_sub(self.awaiting)
    }

    /// In which block a place stands, or would stand, and where within.
    fn find(&self, place: &Place) -> (usize, Result<usize, usize>) {
        let at = self.blocks.partition_point(|block| block.last() < Some(place));
        (at, self.blocks.get(at).map_or(Err(0), |block| block.binary_search(place)))
    }

    fn before(&self, place: &Place) -> usize {
        let (at, Ok(within) | Err(within)) = self.find(place);
        self.blocks.iter().take(at).map(Vec::len).sum::<usize>() + within
    }

    fn insert(&mut self, place: Place) {
        let (at, Err(within)) = self.find(&place) else { return };
        match self.blocks.get_mut(at) {
            Some(block) if block.len() < BLOCK => block.insert(within, place),
            Some(block) => {
                let rest = block.split_off(BLOCK / 2);
                self.blocks.insert(at + 1, rest);
                self.insert(place);
            }
            // Behind all others, where most jobs go.
            None => match self.blocks.last_mut() {
                Some(block) if block.len() < BLOCK => block.push(place),
                _ => self.blocks.push(vec![place]),
            },
        }
    }

    fn remove(&mut self, place: &Place) {
        let (at, Ok(within)) = self.find(place) else { return };
        self.blocks[at].remove(within);
        if self.blocks[at].is_empty() {
            self.blocks.remove(at);
        }
        // Jobs that nobody can have stay where others go by: each would keep a block.
        self.join(at);
        self.join(at.saturating_sub(1));
    }

    /// Makes one block of this one and the next, if both are small.
    fn join(&mut self, at: usize) {
        if let Some([block, next]) = self.blocks.get_mut(at..at + 2)
            && block.len() + next.len() <= BLOCK / 2
        {
            block.append(next);
            self.blocks.remove(at + 1);
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
            prop_assert!(line.blocks.iter().all(|block| (1..=BLOCK).contains(&block.len())));
            prop_assert!(line.blocks.iter().flatten().eq(&model));
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
        assert!(line.blocks.len() <= 3, "{} blocks", line.blocks.len());
    }
}
