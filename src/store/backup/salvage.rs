//! What can be saved of damaged data: every row that is whole goes into a new data directory, with the files that are.

use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::Error;
use super::dump::keys;
use super::interrupted::is_interrupted;
use super::load::Loader;
use super::read::Sink;
use super::restore::{Aside, Place, Target, give};
use crate::domain::Timestamp;
use crate::store::blobs::Blobs;
use crate::store::engine::database::CACHE;
use crate::store::engine::{self, BLOBS, Database, Direction, JOURNAL, Replay, Rows, Table, meta};
use crate::store::nouns::blob;
use crate::store::upkeep::check::{self, Progress, Report, check, partner, sentence};
use crate::store::upkeep::{index, schema};

/// Losses beyond these are only counted.
const NAMED: usize = 10_000;

/// What was saved.
pub struct Salvaged {
    /// What the check of the new directory found: rows and files, and no problem.
    pub report: Report,
    /// What was lost, in sentences.
    pub lost: Vec<String>,
    /// Further losses.
    pub more: u64,
}

/// Writes every row of the data in `from` that is whole into the new data directory `into`, with the files and keys that
/// are. What the journal has and the database lacks is read from there. `from`, which no server may use meanwhile, is not
/// changed beyond what opening the database mends.
///
/// # Errors
/// [`Error::Exists`] unless `into` is new or empty; [`engine::Error::Damaged`] when the database cannot be opened at all.
pub fn salvage(
    from: &Path,
    into: PathBuf,
    now: Timestamp,
    progress: &mut Progress<'_>,
) -> Result<Salvaged, Error> {
    let (db, journal) = Database::open_damaged(from, CACHE)?;
    let saved = of_opened(&db, journal, from, into, now, progress);
    // Some damage makes redb panic rather than say so, here and below.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(db)));
    saved
}

fn of_opened(
    db: &Database,
    journal: Replay,
    from: &Path,
    into: PathBuf,
    now: Timestamp,
    progress: &mut Progress<'_>,
) -> Result<Salvaged, Error> {
    match catch_unwind(AssertUnwindSafe(|| schema::older(db))) {
        Ok(Ok(Some(found))) => {
            return Err(engine::Error::Older { found, known: schema::VERSION }.into());
        }
        Ok(Err(error @ engine::Error::Newer { .. })) => return Err(error.into()),
        // A version that cannot be read is this one's.
        _ => {}
    }
    let target = Target { dir: into, replace: false, dry_run: false, new_signing_key: false, now };
    let place = Place::look(&target)?;
    let aside = Aside::create(&place.dir)?;
    let mut rescue = Rescue {
        from: Blobs::new(from.join(BLOBS)),
        loader: Loader::new(&aside.dir, false),
        journal,
        lost: Losses::default(),
    };
    rescue.journal.lost.drain(..).for_each(|what| rescue.lost.add(what));
    rescue.loader.begin()?;
    for table in Table::ALL.iter().filter(|table| !table.is_index()) {
        rescue.table(db, *table, progress)?;
    }
    let version = schema::VERSION.to_be_bytes();
    rescue.loader.row(Table::Meta, meta::meta(meta::SCHEMA).as_slice(), &version)?;
    rescue.keys(from)?;
    rescue.loader.rows_end()?;
    rescue.loader.sync()?;
    let mut lost = rescue.lost;
    drop_halves(&aside.dir, &mut lost)?;
    // Builds the index rows, of which none was taken over.
    let options = check::Options { repair: true, hash: false };
    let report = check(&aside.dir, options, &mut |_| {})?;
    if !report.problems.is_empty() {
        return Err(Error::bad(report.problems.join("; ")));
    }
    let owner = fs::metadata(from).map_err(|source| engine::Error::file(from, source))?;
    if rustix::process::geteuid().is_root() {
        give(&aside.dir, owner.uid(), owner.gid())?;
    }
    aside.put_in_place(&place, "before-salvage", now)?;
    Ok(Salvaged { report, lost: lost.named, more: lost.more })
}

#[derive(Default)]
struct Losses {
    named: Vec<String>,
    more: u64,
}

impl Losses {
    fn add(&mut self, what: String) {
        if self.named.len() < NAMED {
            self.named.push(what);
        } else {
            self.more += 1;
        }
    }
}

struct Rescue {
    from: Blobs,
    loader: Loader,
    /// What the database lacks.
    journal: Replay,
    lost: Losses,
}

impl Rescue {
    /// Takes over what is whole of a table, and what the journal says of it instead. Behind a damaged page nothing can be
    /// read from one side, so the other side is tried, too.
    fn table(
        &mut self,
        db: &Database,
        table: Table,
        progress: &mut Progress<'_>,
    ) -> Result<(), Error> {
        let newer = self.journal.rows_of(table);
        let mut seen = 0;
        let mut front = None;
        for direction in [Direction::Forward, Direction::Backward] {
            let mut last: Option<Vec<u8>> = None;
            let (mut failed, mut circles) = (Ok(()), false);
            let mut take = |key: &[u8], value: Result<&[u8], engine::Error>| {
                // Damage may lead in a circle.
                let goes_on = last.as_deref().is_none_or(|last| match direction {
                    Direction::Forward => key > last,
                    Direction::Backward => key < last,
                });
                let is_new = front.as_deref().is_none_or(|front: &[u8]| key > front);
                circles |= !goes_on;
                if !goes_on || !is_new {
                    return false;
                }
                last = Some(key.to_vec());
                seen += 1;
                if newer.contains_key(key) || (table, key) == (Table::Meta, JOURNAL.as_bytes()) {
                    return true;
                }
                failed = self.row(table, key, value, progress);
                failed.is_ok()
            };
            let read = catch_unwind(AssertUnwindSafe(|| {
                db.snapshot()?.rescue(table, direction, &mut take)
            }));
            failed?;
            if matches!(read, Ok(Ok(()))) && !circles {
                break;
            }
            front = last;
        }
        let counted = catch_unwind(AssertUnwindSafe(|| db.snapshot()?.count(table)));
        match counted {
            Ok(Ok(counted)) if counted > seen => {
                let count = counted - seen;
                self.lost.add(format!("{}: {count} rows cannot be read", table.name()));
            }
            Ok(Ok(_)) => {}
            _ => self.lost.add(format!("{}: it cannot be read to its end", table.name())),
        }
        for (key, value) in newer {
            if let Some(value) = value {
                self.row(table, &key, Ok(&value), progress)?;
            }
        }
        Ok(())
    }

    fn row(
        &mut self,
        table: Table,
        key: &[u8],
        value: Result<&[u8], engine::Error>,
        progress: &mut Progress<'_>,
    ) -> Result<(), Error> {
        if is_interrupted() {
            return Err(Error::Interrupted);
        }
        let of_row = |error| index::of_row(table, key, &error);
        let read =
            value.map_err(|error| sentence(&error)).and_then(|value| {
                match index::index_of(table, key, value) {
                    Ok(_) => Ok(value),
                    Err(error) => Err(sentence(&of_row(error))),
                }
            });
        let value = match read {
            Ok(value) => value,
            Err(why) => {
                self.lost.add(why);
                return Ok(());
            }
        };
        if table == Table::Blob && !self.file(key, value, progress)? {
            return Ok(());
        }
        self.loader.row(table, key, value)
    }

    /// Takes over the file of a blob, and says whether it was whole.
    fn file(
        &mut self,
        key: &[u8],
        value: &[u8],
        progress: &mut Progress<'_>,
    ) -> Result<bool, Error> {
        let blob = blob::stored(value)?;
        let opened = match self.from.open(blob.name) {
            Ok((mut file, _)) => {
                self.loader.blob_begins(blob.name)?;
                let mut piece = vec![0; 256 * 1024];
                loop {
                    match file.read(&mut piece) {
                        _ if is_interrupted() => return Err(Error::Interrupted),
                        Ok(0) => break Ok(()),
                        Ok(read) => self.loader.blob_bytes(&piece[..read])?,
                        Err(error) => break Err(self.from.unread(blob.name, error)),
                    }
                    progress(piece.len() as u64);
                }
            }
            Err(error) => Err(error),
        };
        let whole = opened.and_then(|()| {
            if self.loader.blob_has(&blob.sha256) {
                Ok(())
            } else {
                Err(self.from.damaged(blob.name, "it holds other bytes than were uploaded"))
            }
        });
        match whole {
            Ok(()) => {
                self.loader.blob_ends()?;
                Ok(true)
            }
            Err(error) => {
                self.loader.blob_is_dropped();
                let owner = blob::parse_key(key)
                    .map(|(job, kind)| format!("the {} of job {job}: ", kind.as_str()));
                self.lost.add(owner.unwrap_or_default() + &sentence(&error));
                Ok(false)
            }
        }
    }

    fn keys(&mut self, from: &Path) -> Result<(), Error> {
        match keys(Some(from)) {
            Ok(keys) => keys.iter().try_for_each(|(name, bytes)| self.loader.key(name, bytes)),
            Err(error) => {
                self.lost.add(format!("the keys: {error}"));
                Ok(())
            }
        }
    }
}

/// Removes rows that lack another one without which they mean nothing, such as a job without its body.
fn drop_halves(dir: &Path, lost: &mut Losses) -> Result<(), Error> {
    let db = Database::open(dir, CACHE, schema::VERSION)?;
    for table in [Table::Job, Table::JobBody, Table::Result] {
        let tx = db.snapshot()?;
        let mut halves = HashSet::new();
        tx.inspect(table, &mut |key, value| {
            let lacks = value.ok().and_then(|value| partner(&tx, table, key, value));
            if let Some(why) = lacks {
                lost.add(why);
                halves.insert(key.to_vec());
            }
        })?;
        drop(tx);
        db.write(|tx| {
            let remove = |key: &Vec<u8>| tx.remove(table, &engine::Key::new().raw(key)).map(|_| ());
            halves.iter().try_for_each(remove)
        })?;
    }
    db.write(|tx| {
        if meta::instance(tx)?.is_empty() {
            schema::name_instance(tx)?;
        }
        Ok(())
    })?;
    Ok(db.close()?)
}
