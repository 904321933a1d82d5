//! Rows of one transaction: what every noun reads and writes with.

use std::ops::{Bound, ControlFlow};

use super::Error;
use super::backend::{Direction, Range, Snapshot, Source, Tables, Visit};
use super::codec::{self, Record};
use super::key::{Key, name_in};
use super::observer::{JobChange, News};
use super::seal::{self, seal};
use super::tables::Table;
use crate::domain::{BlobName, QueueName};

/// From the beginning and to the end: see [`Rows::list`].
pub(crate) const ALL: (Option<u64>, usize) = (None, usize::MAX);

/// Looks at one row of many.
type Each<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), Error> + 'a;
/// Looks at one row, which may be damaged.
pub(crate) type Inspect<'a> = dyn FnMut(&[u8], Result<&[u8], Error>) + 'a;
/// Looks at one row, which may be damaged, and says whether to go on.
type Take<'a> = dyn FnMut(&[u8], Result<&[u8], Error>) -> bool + 'a;
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

fn get(
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

fn scan(
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

fn inspect(source: &impl Source, table: Table, visit: &mut Inspect<'_>) -> Result<(), Error> {
    let all = (Bound::Unbounded, Bound::Unbounded);
    source.range(table, all, Direction::Forward, &mut |key, sealed| {
        visit(key, seal::open(table, key, sealed));
        Ok(ControlFlow::Continue(()))
    })
}

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
        get(&self.0, table, key, read)
    }

    fn scan(
        &self,
        table: Table,
        range: Range<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        scan(&self.0, table, range, direction, visit)
    }

    fn count(&self, table: Table) -> Result<u64, Error> {
        self.0.count(table)
    }

    fn inspect(&self, table: Table, visit: &mut Inspect<'_>) -> Result<(), Error> {
        inspect(&self.0, table, visit)
    }
}

/// What must happen once the batch is on disk.
#[derive(Default)]
pub(super) struct Effects {
    /// Files that no row names any more.
    pub(super) unlink: Vec<BlobName>,
    /// Queues in which a job became claimable, once for each job.
    pub(super) wake: Vec<QueueName>,
    /// What became of jobs.
    pub(super) jobs: Vec<JobChange>,
    /// Bytes of blobs that came, less those that went.
    pub(super) blob_bytes: i64,
    /// What watchers are told.
    pub(super) news: Vec<News>,
}

/// The write transaction that is under way: sees its own writes. Becomes durable with the batch it is part of.
pub struct WriteTx<'t> {
    tables: Tables<'t>,
    writes: u64,
    pub(super) effects: Effects,
}

impl<'t> WriteTx<'t> {
    pub(super) fn new(tables: Tables<'t>) -> Self {
        Self { tables, writes: 0, effects: Effects::default() }
    }

    /// How many rows were written so far; an operation that failed is harmless while this has not grown.
    pub(super) const fn writes(&self) -> u64 {
        self.writes
    }

    /// Puts a row, or removes it, and says whether there was one to remove. Every change of a row passes here.
    fn change(&mut self, table: Table, key: &[u8], value: Option<&[u8]>) -> Result<bool, Error> {
        self.writes += 1;
        match value {
            Some(value) => {
                self.tables.put(table, key, &seal(table, key, value))?;
                Ok(false)
            }
            None => self.tables.remove(table, key),
        }
    }

    pub(crate) fn put(&mut self, table: Table, key: &Key, value: &[u8]) -> Result<(), Error> {
        self.change(table, key.as_slice(), Some(value)).map(|_| ())
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
        self.change(table, key.as_slice(), None)
    }

    /// Removes every row whose key begins with `prefix`.
    pub(crate) fn remove_prefix(&mut self, table: Table, prefix: &Key) -> Result<(), Error> {
        let keys = self.list(table, prefix, ALL, |key, _| Ok(Key::new().raw(key)))?;
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

    /// Creates those tables that are not there.
    pub(crate) fn create_tables(&mut self) -> Result<(), Error> {
        Table::ALL.iter().try_for_each(|table| self.tables.create(*table))
    }

    /// Gives every row its checksum, if they have none yet: before schema version 3 there were none.
    pub(crate) fn seal(&mut self) -> Result<(), Error> {
        /// Bytes that are held together.
        const TOGETHER: usize = 4 << 20;
        for table in Table::ALL {
            let mut after = Bound::Unbounded;
            loop {
                let (mut rows, mut size) = (Vec::new(), 0);
                let from = after.as_ref().map(Vec::as_slice);
                let range = (from, Bound::Unbounded);
                self.tables.range(*table, range, Direction::Forward, &mut |key, value| {
                    size += key.len() + value.len();
                    rows.push((key.to_vec(), value.to_vec()));
                    Ok(if size < TOGETHER {
                        ControlFlow::Continue(())
                    } else {
                        ControlFlow::Break(())
                    })
                })?;
                let Some((last, _)) = rows.last() else { break };
                after = Bound::Excluded(last.clone());
                for (key, value) in rows {
                    self.change(*table, &key, Some(&value))?;
                }
            }
        }
        Ok(())
    }

    /// Removes all rows of a table, damaged ones too.
    pub(crate) fn clear(&mut self, table: Table) -> Result<(), Error> {
        self.writes += 1;
        self.tables.clear(table)
    }

    /// Offers a job that became claimable to whoever waits for its queue, within this batch.
    pub(crate) fn wake(&mut self, queue: QueueName) {
        self.effects.wake.push(queue);
    }

    /// Tells whoever watches what became of a job.
    pub(crate) fn note_job(&mut self, change: JobChange) {
        self.effects.jobs.push(change);
    }

    /// Tells whoever watches that a blob of so many bytes came, or went.
    pub(crate) fn note_blob(&mut self, size: u64, came: bool) {
        let size = size.cast_signed();
        self.effects.blob_bytes += if came { size } else { -size };
    }

    /// Tells whoever watches what was added to a history or a log.
    pub(crate) fn note_news(&mut self, news: News) {
        self.effects.news.push(news);
    }

    /// Removes the file of a blob that no row names any more, once that is on disk.
    pub(crate) fn unlink(&mut self, file: BlobName) {
        self.effects.unlink.push(file);
    }
}

impl Rows for WriteTx<'_> {
    fn with(&self, table: Table, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<(), Error> {
        get(&self.tables, table, key, read)
    }

    fn scan(
        &self,
        table: Table,
        range: Range<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        scan(&self.tables, table, range, direction, visit)
    }

    fn count(&self, table: Table) -> Result<u64, Error> {
        self.tables.count(table)
    }

    fn inspect(&self, table: Table, visit: &mut Inspect<'_>) -> Result<(), Error> {
        inspect(&self.tables, table, visit)
    }
}
