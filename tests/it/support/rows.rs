//! Rows of a closed database, changed behind the back of the store.

use std::path::Path;

use redb::{ReadableTable, TableDefinition};

type Rows = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// A value as it is stored: its checksum stands before it.
pub(crate) fn seal(table: &str, key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut sum = crc32fast::Hasher::new();
    for part in [table.as_bytes(), &(key.len() as u64).to_be_bytes(), key, value] {
        sum.update(part);
    }
    [&sum.finalize().to_be_bytes(), value].concat()
}

/// One table.
pub(crate) struct Opened<'t> {
    name: &'static str,
    rows: redb::Table<'t, &'static [u8], &'static [u8]>,
}

impl Opened<'_> {
    /// Puts a row with a right checksum.
    pub(crate) fn put(&mut self, key: &[u8], value: &[u8]) {
        let sealed = seal(self.name, key, value);
        self.rows.insert(key, &sealed[..]).unwrap();
    }

    /// A value, without its checksum.
    pub(crate) fn get(&self, key: &[u8]) -> Vec<u8> {
        self.rows.get(key).unwrap().unwrap().value()[4..].to_vec()
    }

    /// Flips a bit of a stored value.
    pub(crate) fn flip(&mut self, key: &[u8]) {
        let mut stored = self.rows.get(key).unwrap().unwrap().value().to_vec();
        *stored.last_mut().unwrap() ^= 1;
        self.rows.insert(key, &stored[..]).unwrap();
    }

    pub(crate) fn remove(&mut self, key: &[u8]) {
        assert!(self.rows.remove(key).unwrap().is_some());
    }
}

/// Changes rows of a table; `change` is told the first row, without its checksum.
pub(crate) fn tamper(
    data: &Path,
    table: &'static str,
    change: impl FnOnce(&mut Opened<'_>, Vec<u8>, Vec<u8>),
) {
    let db = redb::Database::open(data.join("testflinger.redb")).unwrap();
    let txn = db.begin_write().unwrap();
    {
        let rows = txn.open_table(Rows::new(table)).unwrap();
        let (key, value) = rows
            .first()
            .unwrap()
            .map(|(key, value)| (key.value().to_vec(), value.value()[4..].to_vec()))
            .unwrap_or_default();
        change(&mut Opened { name: table, rows }, key, value);
    }
    txn.commit().unwrap();
    db.close().unwrap();
}

/// Removes the first row of a table.
pub(crate) fn remove_first(data: &Path, table: &'static str) {
    tamper(data, table, |rows, key, _| rows.remove(&key));
}
