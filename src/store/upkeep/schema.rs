//! The schema version: the tables of a new database, and how those of an older program become ours.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::store::engine::disk::{Aside, check_room, sync_dir};
use crate::store::engine::meta::{self, INSTANCE, SCHEMA, meta};
use crate::store::engine::{DATABASE, Database, Error, Table, WriteTx, codec};
use crate::store::nouns::JobReads;

/// The version of the tables as a whole.
pub(crate) const VERSION: u64 = 1 + UPGRADES.len() as u64;

/// What makes version 2 of version 1, 3 of 2 and so on. They run one after the other in one transaction, and a version
/// that was ever released is never edited: `tests/golden` holds a database of each.
const UPGRADES: &[Upgrade] = &[name_instance, add_checksums, list_by_client];
type Upgrade = fn(&mut WriteTx<'_>) -> Result<(), Error>;

/// Version 2: a database has a name of its own, so that a backup says whose it is.
pub(crate) fn name_instance(tx: &mut WriteTx<'_>) -> Result<(), Error> {
    tx.put(Table::Meta, &meta(INSTANCE), Uuid::new_v4().to_string().as_bytes())
}

/// The first version whose rows have checksums.
const SEALED: u64 = 3;

/// Version 3: rows have checksums. [`upgrade`] has added them before, because the other upgrades read and write rows.
#[expect(clippy::unnecessary_wraps, reason = "it is an upgrade like the others")]
const fn add_checksums(_: &mut WriteTx<'_>) -> Result<(), Error> {
    Ok(())
}

/// Jobs that are read together.
const TOGETHER: usize = 1000;

/// Version 4: jobs are listed by who submitted them. What was written last may be in a journal, which programs of older
/// versions do not read.
pub(crate) fn list_by_client(tx: &mut WriteTx<'_>) -> Result<(), Error> {
    let mut after = 0;
    loop {
        let rows = tx.jobs_after(after, TOGETHER)?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.seq;
        for row in rows {
            if let Some(job) = tx.job(row.id)? {
                tx.list_by_client(&job)?;
            }
        }
    }
}

/// Creates the tables of a new database.
pub(crate) fn create(db: &Database) -> Result<(), Error> {
    db.write(|tx| {
        tx.create_tables()?;
        tx.put(Table::Meta, &meta(SCHEMA), &1_u64.to_be_bytes())?;
        tx.put(Table::Meta, &meta("codec"), codec::NAME.as_bytes())?;
        let product = concat!("testflinger-server ", env!("CARGO_PKG_VERSION"));
        tx.put(Table::Meta, &meta("created_by"), product.as_bytes())?;
        upgrade_from(1, tx)
    })
}

/// The version of an older program, if it was one that wrote this database.
pub(crate) fn older(db: &Database) -> Result<Option<u64>, Error> {
    let (version, _) = found(db)?;
    Ok((version < VERSION).then_some(version))
}

/// The version that the database has, unless that is too new, and whether its rows have checksums.
fn found(db: &Database) -> Result<(u64, bool), Error> {
    let found = if db.is_empty()? { None } else { meta::schema(&db.snapshot()?)? };
    match found {
        None => Err(Error::Corrupt("the schema version is missing".to_owned())),
        Some((0, _)) => Err(Error::Corrupt("schema version 0 never existed".to_owned())),
        Some((found, _)) if found > VERSION => Err(Error::Newer { found, known: VERSION }),
        Some((SEALED.., false)) => {
            Err(Error::Corrupt("the schema version has no checksum".to_owned()))
        }
        Some(found) => Ok(found),
    }
}

/// Makes the database one of this program, if it is one of an older.
pub(crate) fn upgrade(db: &Database) -> Result<(), Error> {
    let (version, sealed) = found(db)?;
    if version == VERSION {
        return Ok(());
    }
    db.write(|tx| {
        tx.create_tables()?;
        // A restore writes rows with checksums whatever the version, and backups have none.
        if !sealed {
            tx.seal()?;
        }
        upgrade_from(version, tx)
    })?;
    tracing::info!(from = version, to = VERSION, "the data was upgraded");
    Ok(())
}

fn upgrade_from(found: u64, tx: &mut WriteTx<'_>) -> Result<(), Error> {
    let done = usize::try_from(found - 1).unwrap_or(usize::MAX);
    for upgrade in UPGRADES.iter().skip(done) {
        upgrade(tx)?;
    }
    tx.put(Table::Meta, &meta(SCHEMA), &VERSION.to_be_bytes())
}

/// Copies a closed database of an older version, so that the way back is one `mv`. Whoever calls this has closed the
/// database: a copy of an open one is worth nothing.
pub(crate) fn keep_copy(dir: &Path, version: u64) -> Result<PathBuf, Error> {
    let (path, copy) = (dir.join(DATABASE), dir.join(format!("{DATABASE}.schema-{version}")));
    let failed = |source| Error::file(&path, source);
    let mut lock = fs::File::open(&path).map_err(failed)?;
    lock.try_lock().map_err(|_| Error::Locked(dir.to_owned()))?;
    check_room(dir, lock.metadata().map_err(failed)?.len())?;
    let copied = Aside::create(&copy).and_then(|mut aside| {
        io::copy(&mut lock, &mut aside.file())?;
        aside.name(true)
    });
    copied.map_err(|source| Error::file(&copy, source))?;
    sync_dir(dir)?;
    Ok(copy)
}
