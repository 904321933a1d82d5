//! Rows of one transaction: what every noun reads with, in a snapshot ([`super::read`]) and in a write ([`super::write`]).

use std::ops::{Bound, ControlFlow};

use super::Error;
use super::backend::{Direction, Range, Source, Visit};
use super::codec::{self, Record};
use super::key::{Key, name_in};
use super::seal;
use super::tables::Table;

/// From the beginning and to the end: see [`Rows::list`].
pub(crate) const ALL: (Option<u64>, usize) = (None, usize::MAX);

/// Looks at one row of many.
type Each<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), Error> + 'a;
/// Looks at one row, which may be damaged.
pub(crate) type Inspect<'a> = dyn FnMut(&[u8], Result<&[u8], Error>) + 'a;
/// A key and its value.
pub(crate) type Row = (Vec<u8>, Vec<u8>);
/// A row that follows from another one: table, key and value.
pub(crate) type IndexRow = (Table, Key, Vec<u8>);

/// Reading rows, in a snapshot or within a write.
pub(crate) trait Rows {
    /// Shows the value at `key` to `read`.
    fn with(&self, table: Table, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<(), Error>;

    /// Shows the rows of a range to `visit` until it breaks.
    fn scan(
        &self,
        table: Table,
        range: Range<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error>;

    /// The value at `key`.
    fn get(&self, table: Table, key: &Key) -> Result<Option<Vec<u8>>, Error> {
        let mut found = None;
        self.with(table, key.as_slice(), &mut |value| {
            found = Some(value.to_vec());
        })?;
        Ok(found)
    }

    /// The record at `key`.
    fn record<R: Record>(&self, table: Table, key: &Key) -> Result<Option<R>, Error>
    where
        Self: Sized,
    {
        let mut found = None;
        self.with(table, key.as_slice(), &mut |value| {
            found = Some(codec::decode(value));
        })?;
        found.transpose()
    }

    /// Shows the rows whose keys begin with `prefix`, those after `prefix | after` only, in order.
    fn scan_prefix(
        &self,
        table: Table,
        prefix: &Key,
        after: Option<u64>,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        let from = after.map(|number| prefix.clone().number(number));
        let end = prefix.after_prefix();
        let range = within(prefix, from.as_ref(), end.as_deref());
        self.scan(table, range, Direction::Forward, visit)
    }

    /// Shows the rows whose keys begin with `prefix`, from the last one back.
    fn scan_back(&self, table: Table, prefix: &Key, visit: &mut Visit<'_>) -> Result<(), Error> {
        let end = prefix.after_prefix();
        let range = within(prefix, None, end.as_deref());
        self.scan(table, range, Direction::Backward, visit)
    }

    /// How many rows the database says that a table has.
    fn count(&self, table: Table) -> Result<u64, Error>;

    /// Shows every row of a table, in order, with its value or what is wrong with it: for whoever looks for damage.
    fn inspect(&self, table: Table, visit: &mut Inspect<'_>) -> Result<(), Error>;

    /// Shows every row of a table, in order, until `each` fails.
    fn each(&self, table: Table, each: &mut Each<'_>) -> Result<(), Error> {
        let all = (Bound::Unbounded, Bound::Unbounded);
        self.scan(table, all, Direction::Forward, &mut |key, value| {
            each(key, value).map(ControlFlow::Continue)
        })
    }

    /// What `read` makes of the rows of a range, in the order of `direction`, at most `limit` of them.
    fn collect<T>(
        &self,
        table: Table,
        (range, direction): (Range<'_>, Direction),
        limit: usize,
        read: impl Fn(&[u8], &[u8]) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error>
    where
        Self: Sized,
    {
        let mut found = Vec::new();
        self.scan(table, range, direction, &mut |key, value| {
            if found.len() == limit {
                return Ok(ControlFlow::Break(()));
            }
            found.push(read(key, value)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// The same of the rows whose keys begin with `prefix`, those after `prefix | after` only.
    fn list<T>(
        &self,
        table: Table,
        prefix: &Key,
        (after, limit): (Option<u64>, usize),
        read: impl Fn(&[u8], &[u8]) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error>
    where
        Self: Sized,
    {
        let from = after.map(|number| prefix.clone().number(number));
        let end = prefix.after_prefix();
        let range = within(prefix, from.as_ref(), end.as_deref());
        self.collect(table, (range, Direction::Forward), limit, read)
    }

    /// The same from the last one back, those before `prefix | before` only.
    fn newest<T>(
        &self,
        table: Table,
        prefix: &Key,
        (before, limit): (Option<u64>, usize),
        read: impl Fn(&[u8], &[u8]) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error>
    where
        Self: Sized,
    {
        let end = match before {
            Some(number) => Some(prefix.clone().number(number).as_slice().to_vec()),
            None => prefix.after_prefix(),
        };
        let range = within(prefix, None, end.as_deref());
        self.collect(table, (range, Direction::Backward), limit, read)
    }

    /// The same of the rows of a table whose keys are names, those after the name `after` only.
    fn list_names<T>(
        &self,
        table: Table,
        after: Option<&str>,
        limit: usize,
        read: impl Fn(String, &[u8]) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error>
    where
        Self: Sized,
    {
        let from = after.map_or(Bound::Unbounded, |name| Bound::Excluded(name.as_bytes()));
        let range = (from, Bound::Unbounded);
        self.collect(table, (range, Direction::Forward), limit, |key, value| {
            read(name_in(key)?, value)
        })
    }

    /// The last row whose key begins with `prefix`.
    fn last(&self, table: Table, prefix: &Key) -> Result<Option<Row>, Error> {
        let mut found = None;
        self.scan_back(table, prefix, &mut |key, value| {
            found = Some((key.to_vec(), value.to_vec()));
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }
}

/// The keys that begin with `prefix`, those after `from` only; `end` is the first that no longer does.
fn within<'a>(prefix: &'a Key, from: Option<&'a Key>, end: Option<&'a [u8]>) -> Range<'a> {
    let from = match from {
        Some(key) => Bound::Excluded(key.as_slice()),
        None => Bound::Included(prefix.as_slice()),
    };
    (from, end.map_or(Bound::Unbounded, Bound::Excluded))
}

pub(super) fn get(
    source: &impl Source,
    table: Table,
    key: &[u8],
    read: &mut dyn FnMut(&[u8]),
) -> Result<(), Error> {
    let mut opened = Ok(());
    source
        .get(table, key, &mut |sealed| opened = seal::open(table, key, sealed).map(&mut *read))?;
    opened
}

pub(super) fn scan(
    source: &impl Source,
    table: Table,
    range: Range<'_>,
    direction: Direction,
    visit: &mut Visit<'_>,
) -> Result<(), Error> {
    source.range(table, range, direction, &mut |key, sealed| {
        visit(key, seal::open(table, key, sealed)?)
    })
}

pub(super) fn inspect(
    source: &impl Source,
    table: Table,
    visit: &mut Inspect<'_>,
) -> Result<(), Error> {
    let all = (Bound::Unbounded, Bound::Unbounded);
    source.range(table, all, Direction::Forward, &mut |key, sealed| {
        visit(key, seal::open(table, key, sealed));
        Ok(ControlFlow::Continue(()))
    })
}
