//! Rows of one transaction: the only file that reads and writes redb tables.

use std::cell::OnceCell;
use std::ops::{Bound, ControlFlow};

use redb::{ReadOnlyTable, ReadTransaction, ReadableTable, WriteTransaction};

use super::Error;
use super::codec::{self, Record};
use super::key::Key;
use super::tables::Table;

type Bytes = &'static [u8];
/// A key and its value.
pub(crate) type Row = (Vec<u8>, Vec<u8>);
/// A row that follows from another one: table, key and value.
pub(crate) type IndexRow = (Table, Key, Vec<u8>);
/// A range of keys.
pub(crate) type Range<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);
/// Looks at one row and says whether to go on.
pub(crate) type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Error> + 'a;

/// Which way a range is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Forward,
    Backward,
}

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
        let from = match &from {
            Some(key) => Bound::Excluded(key.as_slice()),
            None => Bound::Included(prefix.as_slice()),
        };
        let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        self.scan(table, (from, to), Direction::Forward, visit)
    }

    /// The last row whose key begins with `prefix`.
    fn last(&self, table: Table, prefix: &Key) -> Result<Option<Row>, Error> {
        let end = prefix.after_prefix();
        let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut found = None;
        self.scan(
            table,
            (Bound::Included(prefix.as_slice()), to),
            Direction::Backward,
            &mut |key, value| {
                found = Some((key.to_vec(), value.to_vec()));
                Ok(ControlFlow::Break(()))
            },
        )?;
        Ok(found)
    }
}

/// A snapshot: sees what was committed when it was taken. Drop it before streaming an answer, since it keeps old pages.
pub struct ReadTx {
    txn: ReadTransaction,
    open: [OnceCell<ReadOnlyTable<Bytes, Bytes>>; Table::COUNT],
}

impl ReadTx {
    pub(crate) fn new(txn: ReadTransaction) -> Self {
        Self { txn, open: [const { OnceCell::new() }; Table::COUNT] }
    }

    fn table(&self, table: Table) -> Result<&ReadOnlyTable<Bytes, Bytes>, Error> {
        let cell = &self.open[table as usize];
        if cell.get().is_none() {
            let opened = self.txn.open_table(table.definition())?;
            let _ = cell.set(opened);
        }
        cell.get().ok_or(Error::Closed)
    }
}

impl Rows for ReadTx {
    fn with(&self, table: Table, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<(), Error> {
        read_one(self.table(table)?, key, read)
    }

    fn scan(
        &self,
        table: Table,
        range: Range<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        read_range(self.table(table)?, range, direction, visit)
    }
}

/// The write transaction that is under way: sees its own writes. Becomes durable with the batch it is part of.
pub struct WriteTx<'t> {
    txn: &'t WriteTransaction,
    open: [OnceCell<redb::Table<'t, Bytes, Bytes>>; Table::COUNT],
    writes: u64,
    pub(crate) effects: super::writer::Effects,
}

impl<'t> WriteTx<'t> {
    pub(crate) fn new(txn: &'t WriteTransaction) -> Self {
        Self {
            txn,
            open: [const { OnceCell::new() }; Table::COUNT],
            writes: 0,
            effects: super::writer::Effects::default(),
        }
    }

    /// How many rows were written so far; an operation that failed is harmless while this has not grown.
    pub(crate) const fn writes(&self) -> u64 {
        self.writes
    }

    fn table(&self, table: Table) -> Result<&redb::Table<'t, Bytes, Bytes>, Error> {
        let cell = &self.open[table as usize];
        if cell.get().is_none() {
            let opened = self.txn.open_table(table.definition())?;
            let _ = cell.set(opened);
        }
        cell.get().ok_or(Error::Closed)
    }

    fn table_mut(&mut self, table: Table) -> Result<&mut redb::Table<'t, Bytes, Bytes>, Error> {
        self.table(table)?;
        self.writes += 1;
        self.open[table as usize].get_mut().ok_or(Error::Closed)
    }

    pub(crate) fn put(&mut self, table: Table, key: &Key, value: &[u8]) -> Result<(), Error> {
        self.table_mut(table)?.insert(key.as_slice(), value)?;
        Ok(())
    }

    pub(crate) fn put_record<R: Record>(
        &mut self,
        table: Table,
        key: &Key,
        record: &R,
    ) -> Result<(), Error> {
        let bytes = codec::encode(record)?;
        self.put(table, key, &bytes)
    }

    /// Removes the row at `key` and says whether there was one.
    pub(crate) fn remove(&mut self, table: Table, key: &Key) -> Result<bool, Error> {
        Ok(self.table_mut(table)?.remove(key.as_slice())?.is_some())
    }

    /// Removes every row whose key begins with `prefix`.
    pub(crate) fn remove_prefix(&mut self, table: Table, prefix: &Key) -> Result<(), Error> {
        let mut keys = Vec::new();
        self.scan_prefix(table, prefix, None, &mut |key, _| {
            keys.push(Key::new().raw(key));
            Ok(ControlFlow::Continue(()))
        })?;
        for key in &keys {
            self.remove(table, key)?;
        }
        Ok(())
    }

    /// Replaces index rows, touching only those that differ.
    pub(crate) fn replace_rows(&mut self, old: &[IndexRow], new: &[IndexRow]) -> Result<(), Error> {
        for row in old {
            if !new.iter().any(|(table, key, _)| *table == row.0 && *key == row.1) {
                self.remove(row.0, &row.1)?;
            }
        }
        for row in new {
            if !old.contains(row) {
                self.put(row.0, &row.1, &row.2)?;
            }
        }
        Ok(())
    }
}

impl Rows for WriteTx<'_> {
    fn with(&self, table: Table, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<(), Error> {
        read_one(self.table(table)?, key, read)
    }

    fn scan(
        &self,
        table: Table,
        range: Range<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        read_range(self.table(table)?, range, direction, visit)
    }
}

fn read_one(
    table: &impl ReadableTable<Bytes, Bytes>,
    key: &[u8],
    read: &mut dyn FnMut(&[u8]),
) -> Result<(), Error> {
    if let Some(value) = table.get(key)? {
        read(value.value());
    }
    Ok(())
}

fn read_range(
    table: &impl ReadableTable<Bytes, Bytes>,
    range: Range<'_>,
    direction: Direction,
    visit: &mut Visit<'_>,
) -> Result<(), Error> {
    let mut rows = table.range::<&[u8]>(range)?;
    while let Some(row) = match direction {
        Direction::Forward => rows.next(),
        Direction::Backward => rows.next_back(),
    } {
        let (key, value) = row?;
        if visit(key.value(), value.value())?.is_break() {
            break;
        }
    }
    Ok(())
}
