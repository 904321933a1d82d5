//! The schema version: the tables of a new database, and how those of an older program become ours.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase, WriteTransaction};
use uuid::Uuid;

use super::key::{Key, Tail};
use super::rows::{ReadTx, Rows, WriteTx};
use super::tables::Table;
use super::{DATABASE, Error, check_room, codec, restrict_mode, sync_dir};

/// The version of the tables as a whole.
pub(super) const VERSION: u64 = 1 + UPGRADES.len() as u64;

/// What makes version 2 of version 1, 3 of 2 and so on. They run one after the other in one transaction, and a version
/// that was ever released is never edited: `tests/golden` holds a database of each.
const UPGRADES: &[Upgrade] = &[name_instance];
type Upgrade = fn(&mut WriteTx<'_>) -> Result<(), Error>;

const SCHEMA: &str = "schema";
const SEQ: &str = "seq";
const INSTANCE: &str = "instance";

/// Version 2: a database has a name of its own, so that a backup says whose it is.
fn name_instance(tx: &mut WriteTx<'_>) -> Result<(), Error> {
    tx.put(Table::Meta, &meta(INSTANCE), Uuid::new_v4().to_string().as_bytes())
}

/// Creates the tables of a new database.
pub(super) fn create(db: &Database) -> Result<(), Error> {
    let txn = db.begin_write()?;
    create_tables(&txn)?;
    let mut tx = WriteTx::new(&txn);
    tx.put(Table::Meta, &meta(SCHEMA), &1_u64.to_be_bytes())?;
    tx.put(Table::Meta, &meta("codec"), codec::NAME.as_bytes())?;
    tx.put(
        Table::Meta,
        &meta("created_by"),
        concat!("testflinger-server ", env!("CARGO_PKG_VERSION")).as_bytes(),
    )?;
    upgrade_from(1, &mut tx)?;
    drop(tx);
    txn.commit()?;
    Ok(())
}

/// Creates those tables that are not there.
pub(super) fn create_tables(txn: &WriteTransaction) -> Result<(), Error> {
    for table in Table::ALL {
        txn.open_table(table.definition())?;
    }
    Ok(())
}

/// The version of an older program, if it was one that wrote this database.
pub(super) fn older(db: &Database) -> Result<Option<u64>, Error> {
    let txn = db.begin_read()?;
    let empty = txn.list_tables()?.next().is_none();
    let found = if empty { None } else { number(&ReadTx::new(txn), SCHEMA)? };
    match found {
        None => Err(Error::Corrupt("the schema version is missing".to_owned())),
        Some(0) => Err(Error::Corrupt("schema version 0 never existed".to_owned())),
        Some(found) if found > VERSION => Err(Error::Newer { found, known: VERSION }),
        Some(VERSION) => Ok(None),
        Some(found) => Ok(Some(found)),
    }
}

/// Makes the database one of this program, if it is one of an older.
pub(super) fn upgrade(db: &Database) -> Result<(), Error> {
    let Some(found) = older(db)? else {
        return Ok(());
    };
    let txn = db.begin_write()?;
    create_tables(&txn)?;
    let mut tx = WriteTx::new(&txn);
    upgrade_from(found, &mut tx)?;
    drop(tx);
    txn.commit()?;
    tracing::info!(from = found, to = VERSION, "the data was upgraded");
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
pub(super) fn keep_copy(dir: &Path, version: u64) -> Result<PathBuf, Error> {
    let (path, copy) = (dir.join(DATABASE), dir.join(format!("{DATABASE}.schema-{version}")));
    let failed = |source| Error::file(&path, source);
    let lock = fs::File::open(&path).map_err(failed)?;
    lock.try_lock().map_err(|_| Error::Locked(dir.to_owned()))?;
    check_room(dir, lock.metadata().map_err(failed)?.len())?;
    let partial = copy.with_extension("partial");
    let copied = (|| -> io::Result<()> {
        fs::copy(&path, &partial)?;
        fs::File::open(&partial)?.sync_all()?;
        fs::rename(&partial, &copy)
    })();
    if let Err(source) = copied {
        let _ = fs::remove_file(&partial);
        return Err(Error::file(partial, source));
    }
    restrict_mode(&copy)?;
    sync_dir(dir)?;
    Ok(copy)
}

fn meta(name: &str) -> Key {
    Key::new().text(name)
}

fn number(rows: &impl Rows, name: &str) -> Result<Option<u64>, Error> {
    let value = rows.get(Table::Meta, &meta(name))?;
    Ok(value.map(|bytes| Tail(&bytes).number()))
}

/// The database's own name.
pub(super) fn instance(rows: &impl Rows) -> Result<String, Error> {
    let value = rows.get(Table::Meta, &meta(INSTANCE))?;
    Ok(String::from_utf8_lossy(&value.unwrap_or_default()).into_owned())
}

/// The number that was given out last.
pub(super) fn seq(rows: &impl Rows) -> Result<u64, Error> {
    Ok(number(rows, SEQ)?.unwrap_or(0))
}

impl WriteTx<'_> {
    /// The next number of the store's one counter: grows with every use, never repeats.
    pub(super) fn next_seq(&mut self) -> Result<u64, Error> {
        let next = seq(self)? + 1;
        self.set_seq(next)?;
        Ok(next)
    }

    pub(super) fn set_seq(&mut self, last: u64) -> Result<(), Error> {
        self.put(Table::Meta, &meta(SEQ), &last.to_be_bytes())
    }
}
