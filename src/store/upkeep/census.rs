//! Are all rows there? Whether a row is whole says its checksum; a row that a damaged page hides says nothing. So what
//! was seen is compared with what the database counted, and index rows with those that they follow from.
//!
//! A census holds sums of fingerprints and no rows, so it needs the same memory for ten jobs and ten million. It can
//! therefore say that something is missing, but not what: the check says that.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::index;
use crate::store::engine::{Error, IndexRow, ReadTx, Rows, Table};
use crate::store::nouns::aging;

/// Things whose age is looked for in one pass, where that is necessary.
const TOGETHER: u64 = 1 << 20;

/// Things without order: how many, and the sum of their fingerprints.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    count: u64,
    sum: u64,
}

impl Tally {
    fn add(&mut self, fingerprint: u64) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(fingerprint);
    }
}

/// What was seen of all rows of a snapshot.
pub(crate) struct Census<'t> {
    tx: &'t ReadTx,
    seen: [Tally; Table::COUNT],
    /// The index rows that follow from what was seen.
    expected: [Tally; Table::COUNT],
    /// The jobs with a body, and those with a record.
    bodies: [Tally; 2],
    last: Option<(Table, Vec<u8>)>,
}

impl<'t> Census<'t> {
    pub(crate) const fn new(tx: &'t ReadTx) -> Self {
        const NONE: Tally = Tally { count: 0, sum: 0 };
        Self {
            tx,
            seen: [NONE; Table::COUNT],
            expected: [NONE; Table::COUNT],
            bodies: [NONE; 2],
            last: None,
        }
    }

    /// A row that is there, from which `follow` follow. Rows are shown table by table, in order.
    pub(crate) fn row(
        &mut self,
        table: Table,
        key: &[u8],
        value: &[u8],
        follow: &[IndexRow],
    ) -> Result<(), Error> {
        match &mut self.last {
            Some((of, last)) if *of == table => {
                if last.as_slice() >= key {
                    let why = "it stands behind a greater one".to_owned();
                    return Err(index::of_row(table, key, &Error::Corrupt(why)));
                }
                last.clear();
                last.extend_from_slice(key);
            }
            last => *last = Some((table, key.to_vec())),
        }
        self.seen[table as usize].add(fingerprint(table, key, value));
        for (table, key, value) in follow {
            self.expected[*table as usize].add(fingerprint(*table, key.as_slice(), value));
        }
        match table {
            Table::JobBody => self.bodies[0].add(hash(&key)),
            Table::Job => self.bodies[1].add(hash(&key)),
            _ => {}
        }
        Ok(())
    }

    /// Compares, once all rows were shown.
    pub(crate) fn finish(self) -> Result<(), Error> {
        for table in Table::ALL {
            let (seen, counted) = (self.seen[*table as usize], self.tx.count(*table)?);
            if seen.count != counted {
                let (seen, table) = (seen.count, table.name());
                return Err(Error::Corrupt(format!(
                    "{table}: {seen} rows can be read of {counted}"
                )));
            }
            if table.is_index() && seen != self.expected[*table as usize] {
                if *table == Table::Expiry && self.all_age(seen.count)? {
                    continue;
                }
                let table = table.name();
                return Err(Error::Corrupt(format!(
                    "{table}: its rows are not those that must be there"
                )));
            }
        }
        if self.bodies[0] != self.bodies[1] {
            let (jobs, bodies) = (Table::Job.name(), Table::JobBody.name());
            return Err(Error::Corrupt(format!(
                "{jobs} and {bodies}: not the same jobs are in both"
            )));
        }
        Ok(())
    }

    /// Whether everything that ages has a row that says so. A row too many does no harm, because the sweep asks the
    /// thing itself for its age.
    fn all_age(&self, rows: u64) -> Result<bool, Error> {
        let parts = rows.div_ceil(TOGETHER).max(1);
        for part in 0..parts {
            let mut things = HashSet::new();
            for table in Table::ALL.iter().filter(|table| !table.is_index()) {
                self.tx.each(*table, &mut |key, value| {
                    for (table, key, _) in index::index_of(*table, key, value)? {
                        let thing = hash(&aging::split(key.as_slice()));
                        if table == Table::Expiry && thing % parts == part {
                            things.insert(thing);
                        }
                    }
                    Ok(())
                })?;
            }
            self.tx.each(Table::Expiry, &mut |key, _| {
                things.remove(&hash(&aging::split(key)));
                Ok(())
            })?;
            if !things.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn fingerprint(table: Table, key: &[u8], value: &[u8]) -> u64 {
    if table == Table::Expiry {
        // A time that the sweep has moved is none the worse.
        return hash(&aging::split(key));
    }
    hash(&(table as u8, key, value))
}

fn hash(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
