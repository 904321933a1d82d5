//! Are all rows there? Whether a row is whole says its checksum; a row that a damaged page hides says nothing. So what
//! was seen is compared with what the database counted, and index rows with those that they follow from.
//!
//! A census holds sums of fingerprints and no rows, so it needs the same memory for ten jobs and ten million. It can
//! therefore say that something is missing, but not what: the check says that.

use super::index;
use super::pace::Fast;
use super::tally::{Tallies, Tally, hash};
use crate::store::engine::{Error, IndexRow, ReadTx, Rows, Table};

/// What was seen of all rows of a snapshot.
pub(crate) struct Census<'t> {
    tx: &'t ReadTx,
    tallies: Tallies,
    /// The jobs with a body, and those with a record.
    bodies: [Tally; 2],
    last: Option<(Table, Vec<u8>)>,
}

impl<'t> Census<'t> {
    pub(crate) const fn new(tx: &'t ReadTx) -> Self {
        Self { tx, tallies: Tallies::new(), bodies: [Tally::NONE; 2], last: None }
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
        self.tallies.row(table, key, value, follow);
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
            let (seen, counted) = (self.tallies.count(*table), self.tx.count(*table)?);
            if seen != counted {
                let table = table.name();
                return Err(Error::Corrupt(format!(
                    "{table}: {seen} rows can be read of {counted}"
                )));
            }
            if self.tallies.differs(*table) && !self.ages(*table)? {
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

    /// Whether this is the table of ages and has a row for everything that ages. A row too many does no harm, because the
    /// sweep asks the thing itself for its age.
    fn ages(&self, table: Table) -> Result<bool, Error> {
        let compare = || self.tallies.compare(self.tx, table, &mut Fast, &mut |_| {});
        Ok(table == Table::Expiry && compare()? == 0)
    }
}
