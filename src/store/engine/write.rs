//! Changing rows, and what must happen once that is on disk.

use std::ops::{Bound, ControlFlow};

use super::Error;
use super::backend::{Direction, Range, Source, Tables, Visit};
use super::codec::{self, Record};
use super::journal::Changes;
use super::key::Key;
use super::observer::{JobChange, News};
use super::rows::{self, ALL, IndexRow, Inspect, Rows};
use super::seal::seal;
use super::tables::Table;
use crate::domain::{BlobName, QueueName};

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
    changes: Changes,
    pub(super) effects: Effects,
}

impl<'t> WriteTx<'t> {
    pub(super) fn new(tables: Tables<'t>, changes: Changes) -> Self {
        Self { tables, writes: 0, changes, effects: Effects::default() }
    }

    /// What was changed, and what must happen once that is on disk.
    pub(super) fn done(self) -> (Changes, Effects) {
        (self.changes, self.effects)
    }

    /// How many rows were written so far; an operation that failed is harmless while this has not grown.
    pub(super) const fn writes(&self) -> u64 {
        self.writes
    }

    /// Puts a row, or removes it, and says whether there was one to remove. Every change of a row passes here.
    pub(super) fn change(
        &mut self,
        table: Table,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<bool, Error> {
        self.writes += 1;
        self.changes.add(table, key, value);
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
        self.changes.give_up();
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
        rows::get(&self.tables, table, key, read)
    }

    fn scan(
        &self,
        table: Table,
        range: Range<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        rows::scan(&self.tables, table, range, direction, visit)
    }

    fn count(&self, table: Table) -> Result<u64, Error> {
        self.tables.count(table)
    }

    fn inspect(&self, table: Table, visit: &mut Inspect<'_>) -> Result<(), Error> {
        rows::inspect(&self.tables, table, visit)
    }
}
