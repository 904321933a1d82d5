//! What is read back of a journal after a crash.

use std::collections::BTreeMap;
use std::ops::Range;

use super::entry::{Entry, SECTOR, is_begun};
use super::{FILE, State, head};
use crate::store::engine::{Error, Table};

/// The rows of one table by their keys: the newest value of each, or nothing where it was removed.
pub(crate) type Newer = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// What a journal has and its database lacks.
#[derive(Default)]
pub(crate) struct Replay {
    /// How many batches it has.
    pub(super) batches: u64,
    /// Whether another one was being written when the program ended. Nobody was told that it is there.
    pub(super) is_torn: bool,
    /// What was acknowledged and is lost, in sentences. A sound journal has lost nothing.
    pub(crate) lost: Vec<String>,
    rows: BTreeMap<Table, Newer>,
}

impl Replay {
    /// What can be read of a journal with these bytes; `row` is what the database says of it.
    pub(crate) fn read(bytes: &[u8], row: &[u8]) -> Self {
        let mut replay = Self::default();
        let State { salt, number } = State::read(row);
        if !bytes.starts_with(&head(salt)) {
            return Self::without(format!("{FILE} belongs to another database"));
        }
        let entries: BTreeMap<u64, Entry<'_>> = (SECTOR..bytes.len())
            .step_by(SECTOR)
            .filter_map(|at| Entry::read(bytes.get(at..)?, salt))
            .map(|entry| (entry.number, entry))
            .collect();
        // The last entry that the database has stays there at least until a later one is complete.
        let newest = entries.last_key_value().map_or(0, |(number, _)| *number);
        if newest < number {
            replay.lost.push(format!(
                "the journal ends with batch {newest}, but the database has batch {number}"
            ));
        }
        let mut next = number + 1;
        // Entries that were forgotten have lower numbers, and no other entry takes the place of one that was not.
        for entry in entries.range(next..).map(|(_, entry)| entry) {
            // Only the one entry that was being written may be missing, and it is the last.
            if entry.number > next {
                replay.lost.push(missing(&(next..entry.number)));
            }
            next = entry.number + 1;
            replay.take(entry);
        }
        let mut sectors = bytes.chunks_exact(SECTOR).skip(1);
        replay.is_torn = sectors.any(|sector| is_begun(sector, next));
        replay
    }

    /// Nothing can be read, for this reason.
    pub(crate) fn without(why: String) -> Self {
        Self { lost: vec![why], ..Self::default() }
    }

    fn take(&mut self, entry: &Entry<'_>) {
        self.batches += 1;
        let read = entry.rows(&mut |table, key, value| {
            let rows = self.rows.entry(table).or_default();
            rows.insert(key.to_vec(), value.map(<[u8]>::to_vec));
        });
        if read.is_none() {
            self.lost.push(format!("batch {} of the journal is not understood", entry.number));
        }
    }

    /// Fails if anything is lost.
    pub(crate) fn whole(self) -> Result<Self, Error> {
        match self.lost.first() {
            Some(why) => Err(Error::Corrupt(why.clone())),
            None => Ok(self),
        }
    }

    /// Shows each row and its newest value, or nothing if it was removed.
    pub(super) fn each(
        &self,
        mut each: impl FnMut(Table, &[u8], Option<&[u8]>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for (table, rows) in &self.rows {
            for (key, value) in rows {
                each(*table, key, value.as_deref())?;
            }
        }
        Ok(())
    }

    /// Takes the rows of a table out.
    pub(crate) fn rows_of(&mut self, table: Table) -> Newer {
        self.rows.remove(&table).unwrap_or_default()
    }

    /// What was taken over, in a sentence, if anything was there.
    pub(in crate::store::engine) fn sentence(&self) -> Option<String> {
        let torn = "a batch was cut off in the journal before anybody was told of it, which is \
                    usual after a crash";
        let batches = self.batches;
        let taken = format!("{batches} batches of the journal were taken over into the database");
        match (batches, self.is_torn) {
            (0, false) => None,
            (0, true) => Some(torn.to_owned()),
            (_, false) => Some(taken),
            (_, true) => Some(format!("{taken}; {torn}")),
        }
    }
}

fn missing(batches: &Range<u64>) -> String {
    let (first, next) = (batches.start, batches.end);
    if next - first == 1 {
        return format!("batch {first} of the journal is missing, but batch {next} is there");
    }
    let last = next - 1;
    format!("batches {first} to {last} of the journal are missing, but batch {next} is there")
}
