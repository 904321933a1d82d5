//! Are the rows of an index table those that must be there?
//!
//! Sums of fingerprints say whether, in one pass and in the same memory for ten jobs and ten million. Only where they
//! differ are rows compared one by one, in as many passes as keep few fingerprints in memory.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::index;
use super::pace::Pace;
use crate::store::engine::{Error, IndexRow, ReadTx, Rows, Table};
use crate::store::nouns::aging;

/// Fingerprints, or names of files, that are kept in one pass.
pub(super) const TOGETHER: u64 = if cfg!(test) { 8 } else { 1 << 20 };

/// Things without order: how many, and the sum of their fingerprints.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    count: u64,
    sum: u64,
}

impl Tally {
    pub(super) const NONE: Self = Self { count: 0, sum: 0 };

    pub(super) const fn add(&mut self, fingerprint: u64) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(fingerprint);
    }
}

/// The rows that were seen of each table, and those that follow from rows that were seen.
pub(super) struct Tallies {
    seen: [Tally; Table::COUNT],
    expected: [Tally; Table::COUNT],
}

impl Tallies {
    pub(super) const fn new() -> Self {
        Self { seen: [Tally::NONE; Table::COUNT], expected: [Tally::NONE; Table::COUNT] }
    }

    /// A row that is there, and the index rows that follow from it.
    pub(super) fn row(&mut self, table: Table, key: &[u8], value: &[u8], follow: &[IndexRow]) {
        self.seen[table as usize].add(fingerprint(table, key, value));
        for (table, key, value) in follow {
            self.expected[*table as usize].add(fingerprint(*table, key.as_slice(), value));
        }
    }

    /// How many rows of a table were seen.
    pub(super) const fn count(&self, table: Table) -> u64 {
        self.seen[table as usize].count
    }

    /// Whether an index table has other rows than those that must be there.
    pub(super) fn differs(&self, table: Table) -> bool {
        table.is_index() && self.seen[table as usize] != self.expected[table as usize]
    }

    /// Shows the rows of an index table that follow from nothing, and says how many are missing. Both are those of `tx`,
    /// of which all rows were seen.
    pub(super) fn compare(
        &self,
        tx: &ReadTx,
        table: Table,
        pace: &mut dyn Pace,
        stray: &mut dyn FnMut(&[u8]),
    ) -> Result<u64, Error> {
        let rows = self.seen[table as usize].count.max(self.expected[table as usize].count);
        let parts = parts(rows);
        let (mut missing, mut paced) = (0, Ok(()));
        for part in 0..parts {
            let mut expected = HashSet::new();
            for source in Table::ALL.iter().filter(|source| !source.is_index()) {
                tx.inspect(*source, &mut |key, value| {
                    if paced.is_ok() {
                        paced = pace.step();
                    }
                    let (Ok(()), Ok(value)) = (&paced, value) else { return };
                    let follow = index::index_of(*source, key, value).unwrap_or_default();
                    let follow = follow.iter().filter(|(of, ..)| *of == table);
                    let prints =
                        follow.map(|(of, key, value)| fingerprint(*of, key.as_slice(), value));
                    expected.extend(prints.filter(|print| print % parts == part));
                })?;
            }
            tx.inspect(table, &mut |key, value| {
                let Ok(value) = value else { return };
                let print = fingerprint(table, key, value);
                if print % parts == part && !expected.remove(&print) {
                    stray(key);
                }
            })?;
            missing += expected.len() as u64;
        }
        paced.map(|()| missing)
    }
}

/// In how many parts so many things are looked at.
pub(super) fn parts(things: u64) -> u64 {
    things.div_ceil(TOGETHER).max(1)
}

fn fingerprint(table: Table, key: &[u8], value: &[u8]) -> u64 {
    if table == Table::Expiry {
        // A time that the sweep has moved is none the worse.
        return hash(&aging::split(key));
    }
    hash(&(table as u8, key, value))
}

pub(super) fn hash(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
