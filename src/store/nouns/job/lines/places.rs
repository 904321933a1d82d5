//! Places in order, of which it is known at once how many stand before one.

use crate::domain::Place;

/// Places that stand in one block, so that no change moves more of them than this.
const BLOCK: usize = 512;

/// Places in order, cut into blocks, none of which is empty or larger than [`BLOCK`].
#[derive(Debug, Default)]
#[cfg_attr(test, derive(PartialEq))]
pub(super) struct Places(Vec<Vec<Place>>);

impl Places {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn length(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    /// In which block a place stands, or would stand, and where within.
    fn find(&self, place: &Place) -> (usize, Result<usize, usize>) {
        let at = self.0.partition_point(|block| block.last() < Some(place));
        (at, self.0.get(at).map_or(Err(0), |block| block.binary_search(place)))
    }

    pub(super) fn before(&self, place: &Place) -> usize {
        let (at, Ok(within) | Err(within)) = self.find(place);
        self.0.iter().take(at).map(Vec::len).sum::<usize>() + within
    }

    pub(super) fn insert(&mut self, place: Place) {
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

    pub(super) fn remove(&mut self, place: &Place) {
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
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_line_counts_as_a_sorted_list_does(
            steps in proptest::collection::vec((any::<bool>(), 0_u64..3000), 0..4000),
        ) {
            let (mut line, mut model) = (Places::default(), BTreeSet::new());
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
        let mut line = Places::default();
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
