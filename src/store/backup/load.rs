//! Rows, keys and files become a data directory.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::read::Sink;
use super::{Error, Manifest};
use crate::domain::BlobName;
use crate::store::blobs::{Blobs, Upload};
use crate::store::engine::database::Transaction;
use crate::store::engine::disk::{check_room, create_private, new_file, sync_dir};
use crate::store::engine::{BLOBS, Database, KEYS, Key, Table};
use crate::store::nouns::{aging, blob};
use crate::store::upkeep::schema;

/// Bytes of rows that are written together.
const TOGETHER: usize = 4 << 20;
/// The key that signs tokens.
const SIGNING_KEY: &str = "jwt.key";

/// Writes rows, keys and files into a directory.
pub(super) struct Loader {
    dir: PathBuf,
    blobs: Blobs,
    new_signing_key: bool,
    txn: Option<(Database, Transaction)>,
    rows: Vec<(Table, Key, Vec<u8>)>,
    size: usize,
    file: Option<Upload>,
    /// Files that a backup lacks.
    missing: HashSet<BlobName>,
    /// The keys of their rows, which are left out: a restored server would look for the files in vain.
    left_out: HashSet<Vec<u8>>,
}

impl Loader {
    pub(super) fn new(dir: &Path, new_signing_key: bool) -> Self {
        Self {
            dir: dir.to_owned(),
            blobs: Blobs::new(dir.join(BLOBS)),
            new_signing_key,
            txn: None,
            rows: Vec::new(),
            size: 0,
            file: None,
            missing: HashSet::new(),
            left_out: HashSet::new(),
        }
    }

    /// Makes an empty database.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        self.blobs.create()?;
        let db = Database::create(&self.dir)?;
        let txn = db.begin()?;
        self.txn = Some((db, txn));
        Ok(())
    }

    /// Whether what has arrived of the file under way has this sum.
    pub(super) fn blob_has(&self, sum: &[u8; 32]) -> bool {
        self.file.as_ref().is_some_and(|file| file.has(sum))
    }

    /// Forgets the file under way.
    pub(super) fn blob_is_dropped(&mut self) {
        self.file = None;
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.size = 0;
        if let Some((_, txn)) = &self.txn {
            let mut tx = txn.rows();
            for (table, key, value) in self.rows.drain(..) {
                tx.put(table, &key, &value)?;
            }
        }
        Ok(())
    }

    /// Makes the names of all files durable.
    pub(super) fn sync(&self) -> Result<(), Error> {
        self.blobs.sync()?;
        if self.dir.join(KEYS).exists() {
            sync_dir(&self.dir.join(KEYS))?;
        }
        Ok(sync_dir(&self.dir)?)
    }
}

/// Writes a key into a data directory.
pub(in crate::store) fn put_key(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    create_private(&dir.join(KEYS))?;
    let path = dir.join(KEYS).join(name);
    let written = new_file(&path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|source| Error::write(path, source))
}

impl Sink for Loader {
    fn manifest(&mut self, manifest: &Manifest) -> Result<(), Error> {
        check_room(&self.dir, manifest.size())?;
        self.missing = manifest.missing();
        self.begin()
    }

    fn row(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Error> {
        if table == Table::Blob && self.missing.contains(&blob::stored(value)?.name) {
            self.left_out.insert(key.to_vec());
            return Ok(());
        }
        let of_blob = table == Table::Expiry && aging::Kind::Blob.owns(key);
        if of_blob && self.left_out.contains(aging::split(key).1) {
            return Ok(());
        }
        self.size += key.len() + value.len();
        self.rows.push((table, Key::new().raw(key), value.to_vec()));
        if self.size > TOGETHER { self.flush() } else { Ok(()) }
    }

    fn rows_end(&mut self) -> Result<(), Error> {
        self.flush()?;
        if let Some((db, txn)) = self.txn.take() {
            txn.rows().create_tables()?;
            txn.commit()?;
            // Data of an older program becomes that of this one here; the backup is what it was before.
            schema::upgrade(&db)?;
            db.put_in_place(&self.dir)?;
        }
        Ok(())
    }

    fn key(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        if self.new_signing_key && name == SIGNING_KEY {
            return Ok(());
        }
        put_key(&self.dir, name, bytes)
    }

    fn blob_begins(&mut self, name: BlobName) -> Result<(), Error> {
        self.file = Some(self.blobs.receive(name)?);
        Ok(())
    }

    fn blob_bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match &mut self.file {
            Some(file) => Ok(file.write(bytes)?),
            None => Ok(()),
        }
    }

    fn blob_ends(&mut self) -> Result<(), Error> {
        if let Some(mut file) = self.file.take() {
            file.name()?;
            file.keep();
        }
        Ok(())
    }
}
