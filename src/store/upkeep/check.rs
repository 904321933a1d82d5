//! Is everything what it must be? Every row against what its table holds, every index row against the row that it
//! follows from, every file against its row, each in both directions.

use std::collections::HashSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use super::fault::Progress;
use super::fault::fault;
pub(crate) use super::fault::sentence;
use super::pace::{Fast, Pace};
use super::repair::repair;
use super::tally::{Tallies, hash as fingerprint, parts};
use super::{index, schema};
use crate::store::blobs::Blobs;
use crate::store::engine::database::CACHE;
use crate::store::engine::{BLOBS, DATABASE, Database, Error, Key, ReadTx, Rows, Table, meta};
use crate::store::nouns::blob;
use crate::store::nouns::result::{self, Member};

/// Problems beyond these are only counted.
const NAMED: usize = 100;

/// What a check does besides looking.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Build all index rows anew, and forget files that are gone or damaged.
    pub repair: bool,
    /// Read every file and compare its sum, not its size alone.
    pub hash: bool,
}

/// What a check found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// The bytes of these files.
    pub bytes: u64,
    /// Files that belong to rows.
    pub files: u64,
    /// Further problems.
    #[serde(rename = "more_problems")]
    pub more: u64,
    /// What is wrong, in sentences.
    pub problems: Vec<String>,
    /// What was repaired, in sentences.
    pub repaired: Vec<String>,
    /// Rows that were read.
    pub rows: u64,
    /// Files that belong to none: left by a crash, removed by the next start.
    pub strays: u64,
}

impl Report {
    /// Says that nothing could be checked.
    pub(crate) fn of(problem: String) -> Self {
        Self { problems: vec![problem], ..Self::default() }
    }

    fn add(&mut self, problem: String) {
        if self.problems.len() < NAMED {
            self.problems.push(problem);
        } else {
            self.more += 1;
        }
    }
}

/// Checks the data directory `dir`, which no server may use meanwhile.
///
/// # Errors
/// [`Error::Locked`], [`Error::Damaged`] when the database cannot be opened at all, or what the disk says.
pub fn check(dir: &Path, options: Options, progress: &mut Progress<'_>) -> Result<Report, Error> {
    let mut db = Database::open(dir, CACHE, schema::VERSION)?;
    if let Some(found) = schema::older(&db)? {
        return Err(Error::Older { found, known: schema::VERSION });
    }
    let whole = db.check_integrity(dir)?;
    let mut report = Report::default();
    let blobs = Blobs::new(dir.join(BLOBS));
    if options.repair {
        let found = look(db.snapshot()?, &blobs, options.hash, &mut Fast, progress)?;
        if !found.problems.is_empty() {
            report.repaired = repair(&db, dir, &blobs, options.hash)?;
        }
    }
    let repaired = std::mem::take(&mut report.repaired);
    report = look(db.snapshot()?, &blobs, options.hash, &mut Fast, progress)?;
    report.repaired = repaired;
    report.repaired.splice(0..0, db.taken_over());
    if !whole {
        report.repaired.insert(0, "the database's list of free pages was rebuilt".to_owned());
    }
    db.close()?;
    Ok(report)
}

/// Compacts the database in `dir`, which no server may use meanwhile. Gives the size of its file before and after, bytes.
///
/// # Errors
/// [`Error::Locked`], or what the disk says.
pub fn compact(dir: &Path) -> Result<(u64, u64), Error> {
    let path = dir.join(DATABASE);
    let size =
        || path.metadata().map(|file| file.len()).map_err(|source| Error::file(&path, source));
    let before = size()?;
    let mut db = Database::open(dir, CACHE, schema::VERSION)?;
    db.compact()?;
    db.close()?;
    Ok((before, size()?))
}

/// Looks at everything in a snapshot. No file that it names may be removed meanwhile.
pub(crate) fn look(
    tx: ReadTx,
    blobs: &Blobs,
    hash: bool,
    pace: &mut dyn Pace,
    progress: &mut Progress<'_>,
) -> Result<Report, Error> {
    let mut look =
        Look { tx, pace, report: Report::default(), tallies: Tallies::new(), last_seq: 0 };
    let (indexes, others): (Vec<Table>, Vec<Table>) =
        Table::ALL.iter().partition(|table| table.is_index());
    for table in others.iter().chain(&indexes) {
        look.rows(*table)?;
    }
    for table in indexes {
        look.strangers(table)?;
    }
    look.seq()?;
    look.blobs(blobs, hash, progress)?;
    Ok(look.report)
}

struct Look<'p> {
    tx: ReadTx,
    pace: &'p mut dyn Pace,
    report: Report,
    tallies: Tallies,
    last_seq: u64,
}

impl Look<'_> {
    fn rows(&mut self, table: Table) -> Result<(), Error> {
        let (mut seen, mut paced) = (0, Ok(()));
        self.tx.inspect(table, &mut |key, value| {
            // Once it shall stop, the rest of the table is not looked at.
            if paced.is_ok() {
                paced = self.pace.step();
            }
            if paced.is_err() {
                return;
            }
            seen += 1;
            let value = match value {
                Ok(value) => value,
                Err(error) => return self.report.add(sentence(&error)),
            };
            self.last_seq = self.last_seq.max(index::seq_of(table, key).unwrap_or_default());
            if let Some(lacks) = partner(&self.tx, table, key, value) {
                self.report.add(lacks);
            }
            let follow = match index::index_of(table, key, value) {
                Ok(follow) => follow,
                Err(error) => {
                    return self.report.add(index::of_row(table, key, &error).to_string());
                }
            };
            for (index, at, must) in &follow {
                let is_there =
                    || matches!(self.tx.get(*index, at), Ok(Some(found)) if found == *must);
                // A row of an age may have another time, so it cannot be looked up.
                if *index != Table::Expiry && !is_there() {
                    let (index, row) = (index.name(), index::shown(key));
                    self.report
                        .add(format!("{index}: what follows from {row} is missing or wrong"));
                }
            }
            self.tallies.row(table, key, value, &follow);
        })?;
        paced?;
        self.report.rows += seen;
        // A damaged page hides rows.
        let counted = self.tx.count(table)?;
        if seen != counted {
            let table = table.name();
            self.report.add(format!("{table}: {seen} rows can be read of {counted}"));
        }
        Ok(())
    }

    /// Rows of an index table that follow from nothing.
    fn strangers(&mut self, table: Table) -> Result<(), Error> {
        if !self.tallies.differs(table) {
            return Ok(());
        }
        let name = table.name();
        let missing = self.tallies.compare(&self.tx, table, self.pace, &mut |key| {
            // An age too many does no harm: the sweep asks the thing itself. One too few would.
            if table != Table::Expiry {
                self.report.add(format!("{name}: {} follows from no row", index::shown(key)));
            }
        })?;
        if table == Table::Expiry && missing > 0 {
            let problem = format!("{name}: {missing} rows are missing: things would stay for ever");
            self.report.add(problem);
        }
        Ok(())
    }

    fn seq(&mut self) -> Result<(), Error> {
        let next = meta::seq(&self.tx)?;
        if next < self.last_seq {
            let last = self.last_seq;
            self.report.add(format!("the counter stands at {next}, but {last} is used"));
        }
        Ok(())
    }

    fn blobs(&mut self, dir: &Blobs, hash: bool, progress: &mut Progress<'_>) -> Result<(), Error> {
        let parts = parts(self.tx.count(Table::Blob)?);
        for part in 0..parts {
            let (mut named, mut paced) = (HashSet::new(), Ok(()));
            self.tx.inspect(Table::Blob, &mut |_, value| {
                let Ok(blob) = value.and_then(blob::stored) else { return };
                if paced.is_err() || fingerprint(&blob.name) % parts != part {
                    return;
                }
                if !named.insert(blob.name) {
                    self.report.add(format!("two rows name the file {}", blob.name));
                }
                self.report.files += 1;
                self.report.bytes += blob.size;
                paced = self.pace.step();
                let fault = fault(dir, &blob, hash, &mut |bytes| {
                    progress(bytes);
                    if paced.is_ok() {
                        paced = self.pace.step();
                    }
                });
                if let Some(fault) = fault {
                    self.report.add(sentence(&fault.what));
                }
            })?;
            paced?;
            self.report.strays += dir.count(&|name| match name {
                Some(name) => fingerprint(&name) % parts == part && !named.contains(&name),
                None => part == 0,
            })?;
        }
        Ok(())
    }
}

/// What is wrong with the other rows that a row needs.
pub(crate) fn partner(tx: &ReadTx, table: Table, key: &[u8], value: &[u8]) -> Option<String> {
    let needs = |other: Table, other_key: &Key| match tx.get(other, other_key) {
        Ok(Some(_)) => None,
        _ => Some(format!(
            "{}: {} lacks its row in {}",
            table.name(),
            index::shown(key),
            other.name()
        )),
    };
    match table {
        Table::Job => needs(Table::JobBody, &Key::new().raw(key)),
        Table::JobBody => needs(Table::Job, &Key::new().raw(key)),
        Table::Result => {
            let (job, member) = key.split_at_checked(16)?;
            let Ok(Member::Chunked { count, .. }) = result::member(value) else { return None };
            let chunks = result::chunks_of(job, &String::from_utf8_lossy(member));
            (0..count).find_map(|n| needs(Table::ResultChunk, &chunks.clone().number(n)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Job, JobId, QueueName, Timestamp};
    use crate::store::upkeep::tally::TOGETHER;

    /// A database with a job in each of so many queues.
    fn filled(jobs: u64) -> Database {
        let db = Database::in_memory(1 << 20).unwrap();
        schema::create(&db).unwrap();
        db.write(|tx| {
            for number in 0..jobs {
                let queue = QueueName::trusted(format!("queue-{number}"));
                let (seq, now) = (tx.next_place()?, Timestamp::from_micros(0));
                tx.insert_job(&Job::new(JobId::new(), seq, queue, now), "{}")?;
            }
            Ok(())
        })
        .unwrap();
        db
    }

    fn problems(db: &Database) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::new(dir.path().to_owned());
        let tx = db.snapshot().unwrap();
        look(tx, &blobs, true, &mut Fast, &mut |_| {}).unwrap().problems
    }

    #[test]
    fn what_is_wrong_is_found_however_many_passes_it_takes() {
        let db = filled(10 * TOGETHER);
        assert_eq!(problems(&db), [""; 0]);
        let stray = |number: u64| Key::new().name("stray").number(number);
        db.write(|tx| {
            for number in 0..2 * TOGETHER {
                tx.put(Table::JobByQueue, &stray(number), &[7; 16])?;
            }
            let (first, _) = tx.last(Table::Waiting, &Key::new())?.unwrap();
            tx.remove(Table::Waiting, &Key::new().raw(&first)).map(drop)
        })
        .unwrap();
        let found = problems(&db);
        let about = |table: Table, what: &str| {
            let begins = format!("{}: ", table.name());
            found.iter().filter(|it| it.starts_with(&begins) && it.ends_with(what)).count() as u64
        };
        assert_eq!(about(Table::JobByQueue, "follows from no row"), 2 * TOGETHER, "{found:#?}");
        assert_eq!(about(Table::Waiting, "is missing or wrong"), 1, "{found:#?}");
        assert_eq!(found.len() as u64, 2 * TOGETHER + 1, "{found:#?}");
    }
}
