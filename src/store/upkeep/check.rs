//! Is everything what it must be? Every row against what its table holds, every index row against the row that it
//! follows from, every file against its row, each in both directions.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use super::fault::Progress;
use super::fault::fault;
pub(crate) use super::fault::sentence;
use super::pace::{Fast, Pace};
use super::repair::repair;
use super::{index, schema};
use crate::store::blobs::Blobs;
use crate::store::engine::database::CACHE;
use crate::store::engine::{
    BLOBS, DATABASE, Database, Error, IndexRow, Key, ReadTx, Rows, Table, meta,
};
use crate::store::nouns::result::{self, Member};
use crate::store::nouns::{aging, blob};

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

    fn add(&mut self, mut problems: Vec<String>) {
        let room = NAMED.saturating_sub(self.problems.len()).min(problems.len());
        self.more += problems.split_off(room).len() as u64;
        self.problems.append(&mut problems);
    }
}

/// Checks the data directory `dir`, which no server may use meanwhile.
///
/// # Errors
/// [`Error::Locked`], [`Error::Damaged`] when the database cannot be opened at all, or what the disk says.
pub fn check(dir: &Path, options: Options, progress: &mut Progress<'_>) -> Result<Report, Error> {
    let mut db = Database::open(dir, CACHE)?;
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
    let mut db = Database::open(dir, CACHE)?;
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
    let mut look = Look {
        tx,
        pace,
        report: Report::default(),
        expected: HashSet::new(),
        aging: HashSet::new(),
        last_seq: 0,
    };
    for table in Table::ALL.iter().filter(|table| !table.is_index()) {
        look.rows(*table)?;
    }
    for table in Table::ALL.iter().filter(|table| table.is_index()) {
        look.index(*table)?;
    }
    look.seq()?;
    look.blobs(blobs, hash, progress)?;
    Ok(look.report)
}

struct Look<'p> {
    tx: ReadTx,
    pace: &'p mut dyn Pace,
    report: Report,
    /// Fingerprints of the index rows that must be there: a million jobs have some millions of them.
    expected: HashSet<u64>,
    /// Fingerprints of what must have a row in [`Table::Expiry`], with whatever time.
    aging: HashSet<u64>,
    last_seq: u64,
}

impl Look<'_> {
    fn rows(&mut self, table: Table) -> Result<(), Error> {
        let (mut problems, mut paced) = (Vec::new(), Ok(()));
        let before = self.report.rows;
        self.tx.inspect(table, &mut |key, value| {
            // Once it shall stop, the rest of the table is not looked at.
            if paced.is_ok() {
                paced = self.pace.step();
            }
            if paced.is_err() {
                return;
            }
            self.report.rows += 1;
            let value = match value {
                Ok(value) => value,
                Err(error) => return problems.push(sentence(&error)),
            };
            self.last_seq = self.last_seq.max(index::seq_of(table, key).unwrap_or_default());
            problems.extend(partner(&self.tx, table, key, value));
            let follow = match index::index_of(table, key, value) {
                Ok(follow) => follow,
                Err(error) => return problems.push(index::of_row(table, key, &error).to_string()),
            };
            for row in follow {
                let (whole, thing) = fingerprints(&row);
                self.expected.insert(whole);
                if row.0 == Table::Expiry {
                    self.aging.insert(thing);
                } else if !matches!(self.tx.get(row.0, &row.1), Ok(Some(found)) if found == row.2) {
                    let (index, row) = (row.0.name(), index::shown(key));
                    problems.push(format!("{index}: what follows from {row} is missing or wrong"));
                }
            }
        })?;
        paced?;
        problems.extend(self.uncounted(table, before)?);
        self.report.add(problems);
        Ok(())
    }

    /// Rows that a damaged page hides.
    fn uncounted(&self, table: Table, before: u64) -> Result<Option<String>, Error> {
        let (seen, counted) = (self.report.rows - before, self.tx.count(table)?);
        let table = table.name();
        Ok((seen != counted).then(|| format!("{table}: {seen} rows can be read of {counted}")))
    }

    fn index(&mut self, table: Table) -> Result<(), Error> {
        let (mut problems, mut paced) = (Vec::new(), Ok(()));
        let before = self.report.rows;
        self.tx.inspect(table, &mut |key, value| {
            // Once it shall stop, the rest of the table is not looked at.
            if paced.is_ok() {
                paced = self.pace.step();
            }
            if paced.is_err() {
                return;
            }
            self.report.rows += 1;
            let value = match value {
                Ok(value) => value,
                Err(error) => return problems.push(sentence(&error)),
            };
            self.last_seq = self.last_seq.max(index::seq_of(table, key).unwrap_or_default());
            let (whole, thing) = fingerprints(&(table, Key::new().raw(key), value.to_vec()));
            if table == Table::Expiry {
                // One too many does no harm: the sweep asks the thing itself for its age. One too few would.
                self.aging.remove(&thing);
            } else if !self.expected.contains(&whole) {
                problems.push(format!(
                    "{}: {} follows from no row",
                    table.name(),
                    index::shown(key)
                ));
            }
        })?;
        paced?;
        if table == Table::Expiry && !self.aging.is_empty() {
            let (name, count) = (table.name(), self.aging.len());
            problems.push(format!("{name}: {count} rows are missing: things would stay for ever"));
        }
        problems.extend(self.uncounted(table, before)?);
        self.report.add(problems);
        Ok(())
    }

    fn seq(&mut self) -> Result<(), Error> {
        let next = meta::seq(&self.tx)?;
        if next < self.last_seq {
            let last = self.last_seq;
            let problem = format!("the counter stands at {next}, but {last} is used");
            self.report.add(vec![problem]);
        }
        Ok(())
    }

    fn blobs(&mut self, dir: &Blobs, hash: bool, progress: &mut Progress<'_>) -> Result<(), Error> {
        let mut named = Vec::new();
        let mut owners = HashSet::new();
        self.tx.inspect(Table::Blob, &mut |_, value| {
            named.extend(value.and_then(blob::stored));
        })?;
        let mut problems = Vec::new();
        for blob in &named {
            if !owners.insert(blob.name) {
                problems.push(format!("two rows name the file {}", blob.name));
            }
            self.report.files += 1;
            self.report.bytes += blob.size;
            self.pace.step()?;
            let mut paced = Ok(());
            let fault = fault(dir, blob, hash, &mut |bytes| {
                progress(bytes);
                if paced.is_ok() {
                    paced = self.pace.step();
                }
            });
            paced?;
            problems.extend(fault.map(|fault| sentence(&fault.what)));
        }
        self.report.add(problems);
        self.report.strays = dir.count_strays(&owners)?;
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

/// Of a whole row, and for a row of [`Table::Expiry`] of the row without its time.
fn fingerprints(row: &IndexRow) -> (u64, u64) {
    let hash = |what: &dyn Fn(&mut DefaultHasher)| {
        let mut hasher = DefaultHasher::new();
        what(&mut hasher);
        hasher.finish()
    };
    let (table, key, value) = row;
    let whole = hash(&|hasher| (*table as u8, key.as_slice(), value).hash(hasher));
    let (kind, thing) = aging::split(key.as_slice());
    (whole, hash(&|hasher| (kind, thing).hash(hasher)))
}
