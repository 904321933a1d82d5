//! What the database says about itself, and the store's one counter.

use super::Error;
use super::key::{Key, Tail};
use super::read::ReadTx;
use super::rows::Rows;
use super::tables::Table;
use super::write::WriteTx;
use crate::domain::Timestamp;

pub(crate) const SCHEMA: &str = "schema";
pub(crate) const INSTANCE: &str = "instance";
const SEQ: &str = "seq";
const SWEPT: &str = "swept";
const MOVED: &str = "moved-in";

pub(crate) fn meta(name: &str) -> Key {
    Key::new().text(name)
}

/// A number that the database keeps under a name.
pub(crate) fn number(rows: &impl Rows, name: &str) -> Result<Option<u64>, Error> {
    let value = rows.get(Table::Meta, &meta(name))?;
    Ok(value.map(|bytes| Tail(&bytes).number()))
}

/// The schema version, and whether rows have checksums: the row of the version has none in a database without.
pub(crate) fn schema(rows: &ReadTx) -> Result<Option<(u64, bool)>, Error> {
    let (found, sealed) = match rows.stored(Table::Meta, &meta(SCHEMA))? {
        Some(value) if value.len() == 8 => (Some(value), false),
        _ => (rows.get(Table::Meta, &meta(SCHEMA))?, true),
    };
    Ok(found.map(|value| (Tail(&value).number(), sealed)))
}

/// The database's own name.
pub(crate) fn instance(rows: &impl Rows) -> Result<String, Error> {
    let value = rows.get(Table::Meta, &meta(INSTANCE))?;
    Ok(String::from_utf8_lossy(&value.unwrap_or_default()).into_owned())
}

/// The number that was given out last.
pub(crate) fn seq(rows: &impl Rows) -> Result<u64, Error> {
    Ok(number(rows, SEQ)?.unwrap_or(0))
}

/// When retention last looked at everything, to the hour.
pub(crate) fn last_sweep(rows: &impl Rows) -> Result<Option<Timestamp>, Error> {
    let micros = number(rows, SWEPT)?;
    Ok(micros.map(|micros| Timestamp::from_micros(micros.cast_signed())))
}

/// What an import from another server wrote down for the next one: any text.
pub(crate) fn moved_in(rows: &impl Rows) -> Result<String, Error> {
    let value = rows.get(Table::Meta, &meta(MOVED))?;
    Ok(String::from_utf8_lossy(&value.unwrap_or_default()).into_owned())
}

impl WriteTx<'_> {
    /// What an import from another server wrote down for the next one: any text.
    pub fn moved_in(&self) -> Result<String, Error> {
        moved_in(self)
    }

    /// Writes that down.
    pub fn set_moved_in(&mut self, text: &str) -> Result<(), Error> {
        self.put(Table::Meta, &meta(MOVED), text.as_bytes())
    }

    /// The next number of the store's one counter: grows with every use, never repeats.
    pub(crate) fn next_seq(&mut self) -> Result<u64, Error> {
        let next = seq(self)? + 1;
        self.set_seq(next)?;
        Ok(next)
    }

    /// Notes that retention looked at everything.
    pub fn set_last_sweep(&mut self, now: Timestamp) -> Result<(), Error> {
        self.put(Table::Meta, &meta(SWEPT), &now.as_micros().to_be_bytes())
    }

    /// Keeps a number under a name.
    pub(crate) fn set_number(&mut self, name: &str, number: u64) -> Result<(), Error> {
        self.put(Table::Meta, &meta(name), &number.to_be_bytes())
    }

    pub(crate) fn set_seq(&mut self, last: u64) -> Result<(), Error> {
        self.put(Table::Meta, &meta(SEQ), &last.to_be_bytes())
    }
}
