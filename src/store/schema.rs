//! The schema version, and the tables that every database has.

use redb::{Database, ReadableDatabase};

use super::key::Key;
use super::rows::{ReadTx, Rows, WriteTx};
use super::tables::Table;
use super::{Error, codec};

/// The version of the tables as a whole. Version 1 may still change until 0.1.0 is tagged.
pub(super) const VERSION: u64 = 1;

const SCHEMA: &str = "schema";
const SEQ: &str = "seq";

/// Creates the tables of a new database, checks those of an old one.
pub(super) fn prepare(db: &Database) -> Result<(), Error> {
    match found(db)? {
        Some(VERSION) => Ok(()),
        Some(found) if found > VERSION => Err(Error::Newer { found, known: VERSION }),
        Some(found) => Err(Error::Corrupt(format!("schema version {found} never existed"))),
        None => create(db),
    }
}

fn found(db: &Database) -> Result<Option<u64>, Error> {
    let txn = db.begin_read()?;
    if txn.list_tables()?.next().is_none() {
        return Ok(None);
    }
    let tx = ReadTx::new(txn);
    number(&tx, SCHEMA)?.map_or_else(
        || Err(Error::Corrupt("the schema version is missing".to_owned())),
        |version| Ok(Some(version)),
    )
}

fn create(db: &Database) -> Result<(), Error> {
    let txn = db.begin_write()?;
    for table in Table::ALL {
        txn.open_table(table.definition())?;
    }
    let mut tx = WriteTx::new(&txn);
    tx.put(Table::Meta, &meta(SCHEMA), &VERSION.to_be_bytes())?;
    tx.put(Table::Meta, &meta("codec"), codec::NAME.as_bytes())?;
    tx.put(
        Table::Meta,
        &meta("created_by"),
        concat!("testflinger-server ", env!("CARGO_PKG_VERSION")).as_bytes(),
    )?;
    drop(tx);
    txn.commit()?;
    Ok(())
}

fn meta(name: &str) -> Key {
    Key::new().text(name)
}

fn number(rows: &impl Rows, name: &str) -> Result<Option<u64>, Error> {
    let value = rows.get(Table::Meta, &meta(name))?;
    Ok(value.map(|bytes| super::key::Tail(&bytes).number()))
}

impl WriteTx<'_> {
    /// The next number of the store's one counter: grows with every use, never repeats.
    pub(super) fn next_seq(&mut self) -> Result<u64, Error> {
        let next = number(self, SEQ)?.unwrap_or(0) + 1;
        self.put(Table::Meta, &meta(SEQ), &next.to_be_bytes())?;
        Ok(next)
    }
}
