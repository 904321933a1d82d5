//! Reading what was committed.

use std::ops::{Bound, ControlFlow};

use super::Error;
use super::backend::{Direction, Range, Snapshot, Source, Visit};
use super::key::Key;
use super::rows::{self, Inspect, Rows};
use super::seal;
use super::tables::Table;

/// Looks at one row, which may be damaged, and says whether to go on.
type Take<'a> = dyn FnMut(&[u8], Result<&[u8], Error>) -> bool + 'a;

/// A snapshot: sees what was committed when it was taken. Drop it before streaming an answer, because it keeps old pages.
pub struct ReadTx(Snapshot);

impl ReadTx {
    /// The value at `key` as it is stored.
    pub(super) fn stored(&self, table: Table, key: &Key) -> Result<Option<Vec<u8>>, Error> {
        let mut found = None;
        self.0.get(table, key.as_slice(), &mut |value| found = Some(value.to_vec()))?;
        Ok(found)
    }

    /// Shows every row of a table with its value or what is wrong with it, from either end, until `take` says that it is
    /// enough.
    pub(crate) fn rescue(
        &self,
        table: Table,
        direction: Direction,
        take: &mut Take<'_>,
    ) -> Result<(), Error> {
        let all = (Bound::Unbounded, Bound::Unbounded);
        self.0.range(table, all, direction, &mut |key, sealed| {
            Ok(if take(key, seal::open(table, key, sealed)) {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        })
    }

    pub(super) const fn new(snapshot: Snapshot) -> Self {
        Self(snapshot)
    }
}

impl Rows for ReadTx {
    fn with(&self, table: Table, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<(), Error> {
        rows::get(&self.0, table, key, read)
    }

    fn scan(
        &self,
        table: Table,
        range: Range<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        rows::scan(&self.0, table, range, direction, visit)
    }

    fn count(&self, table: Table) -> Result<u64, Error> {
        self.0.count(table)
    }

    fn inspect(&self, table: Table, visit: &mut Inspect<'_>) -> Result<(), Error> {
        rows::inspect(&self.0, table, visit)
    }
}
