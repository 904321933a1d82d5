//! Writing a backup from a snapshot.

use std::borrow::Cow;
use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::ops::{Bound, ControlFlow};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::archive::Writer;
use super::{Amount, BLOBS, Error, FORMAT, KEYS, MANIFEST, Manifest, Missing, ROWS, is_key};
use crate::domain::{Blob, Timestamp};
use crate::store::blobs::Blobs;
use crate::store::engine::{self, Direction, JOURNAL, ReadTx, Rows, Table, codec, meta};
use crate::store::nouns::{aging, blob, client};
use crate::store::upkeep::census::Census;
use crate::store::upkeep::pace::let_others_go;
use crate::store::upkeep::{index, schema};

/// A backup without so many files is not one: a disk is not mounted, or a folder was moved away.
const MOST_MISSING: usize = 5000;

/// What goes into a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct What {
    /// Hashes of secrets, refresh tokens and keys, too.
    pub secrets: bool,
}

/// Where a backup comes from.
pub(crate) struct Origin<'a> {
    /// Takes a snapshot.
    pub(crate) snapshot: &'a dyn Fn() -> Result<ReadTx, engine::Error>,
    pub(crate) blobs: &'a Blobs,
    /// The data directory, unless it is in memory.
    pub(crate) dir: Option<&'a Path>,
}

impl Origin<'_> {
    /// See `Store::backup`.
    pub(crate) fn backup(&self, what: What, now: Timestamp, out: impl Write) -> io::Result<()> {
        let begun = Instant::now();
        let mut archive = Writer::new(BufWriter::with_capacity(256 * 1024, out));
        let dumped = catch_unwind(AssertUnwindSafe(|| self.dump(what, now, &mut archive)));
        let stopped = match dumped {
            Ok(Ok(manifest)) => {
                archive.finish()?;
                let (rows, files, bytes) =
                    (manifest.row_count(), manifest.files.count, manifest.size());
                if let Some(first) = manifest.missing.first() {
                    let missing = manifest.missing.len();
                    tracing::error!(missing, %first, "files are gone that the backup should have");
                }
                let seconds = begun.elapsed().as_secs_f64();
                tracing::info!(rows, files, bytes, seconds, "a backup was sent");
                return Ok(());
            }
            Ok(Err(Error::Read(error))) => return Err(error),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "reading the database panicked: it may be damaged".to_owned(),
        };
        tracing::error!(reason = stopped, "a backup was given up");
        archive.fail(&stopped)
    }

    fn dump<W: Write>(
        &self,
        what: What,
        now: Timestamp,
        archive: &mut Writer<W>,
    ) -> Result<Manifest, Error> {
        // Before the snapshot: what it names must still be there when its turn comes.
        let pin = self.blobs.pin();
        let tx = (self.snapshot)()?;
        let keys = if what.secrets { keys(self.dir)? } else { Vec::new() };
        let names = keys.iter().map(|(name, _)| name.clone()).collect();
        let (manifest, blobs) = measure(&tx, self.blobs, what, now, names)?;
        let text = serde_json::to_vec_pretty(&manifest).map_err(io::Error::other)?;
        archive.whole(MANIFEST, &text)?;
        for table in Table::ALL {
            let size = manifest.rows.get(table.name()).copied().unwrap_or_default().bytes;
            let mut entry = archive.entry(&format!("{ROWS}{}", table.name()), size)?;
            each_row(&tx, *table, what, &mut |key, value| {
                for part in [&length(key)?, &length(value)?, key, value] {
                    entry.write_all(part)?;
                }
                Ok(())
            })?;
            entry.finish()?;
        }
        // Files may take hours; the snapshot would keep every page that is replaced meanwhile.
        drop(tx);
        for (name, bytes) in keys {
            archive.whole(&format!("{KEYS}{name}"), &bytes)?;
        }
        for blob in blobs {
            self.dump_blob(&blob, archive)?;
        }
        drop(pin);
        Ok(manifest)
    }

    fn dump_blob<W: Write>(&self, blob: &Blob, archive: &mut Writer<W>) -> Result<(), Error> {
        let (mut file, size) = self.blobs.open(blob.name)?;
        if size != blob.size {
            return Err(
                self.damaged(blob, &format!("it has {size} bytes instead of {}", blob.size))
            );
        }
        let mut entry = archive.entry(&format!("{BLOBS}{}", blob.name), blob.size)?;
        let mut piece = vec![0; 256 * 1024];
        loop {
            let read =
                file.read(&mut piece).map_err(|error| self.blobs.unread(blob.name, error))?;
            if read == 0 {
                break;
            }
            entry.write_all(&piece[..read])?;
        }
        if entry.finish()? != blob.sha256 {
            return Err(self.damaged(blob, "it holds other bytes than were uploaded"));
        }
        Ok(())
    }

    fn damaged(&self, blob: &Blob, why: &str) -> Error {
        let help = "stop the server and run: testflinger-server check --repair";
        Error::Store(self.blobs.damaged(blob.name, &format!("{why}; {help}")))
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

/// What there is: every row is read once, so that damage shows before anything is written.
fn measure(
    tx: &ReadTx,
    files: &Blobs,
    what: What,
    now: Timestamp,
    keys: Vec<String>,
) -> Result<(Manifest, Vec<Blob>), Error> {
    let (mut blobs, mut census) = (Vec::new(), Census::new(tx));
    let mut manifest = Manifest {
        format: FORMAT,
        product: concat!("testflinger-server ", env!("CARGO_PKG_VERSION")).to_owned(),
        schema: schema::VERSION,
        codec: codec::NAME.to_owned(),
        created_at: now.to_string(),
        instance: meta::instance(tx)?,
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        secrets: what.secrets,
        rows: std::collections::BTreeMap::new(),
        keys,
        files: Amount::default(),
        missing: Vec::new(),
    };
    for table in Table::ALL {
        let mut rows = Amount::default();
        tx.each(*table, &mut |key, value| {
            let_others_go();
            let follow = index::index_of(*table, key, value)
                .map_err(|error| index::of_row(*table, key, &error))?;
            census.row(*table, key, value, &follow)?;
            if *table == Table::Blob {
                let blob = blob::stored(value)?;
                match blob::parse_key(key) {
                    Some(owner) if !files.is_there(blob.name)? => {
                        manifest.missing.push(Missing::new(blob.name, owner));
                    }
                    _ => blobs.push(blob),
                }
            }
            if let Some(value) = shown(*table, key, value, what)? {
                rows.count += 1;
                rows.bytes += 8 + (key.len() + value.len()) as u64;
            }
            Ok(())
        })?;
        manifest.rows.insert(table.name().to_owned(), rows);
    }
    census.finish()?;
    if manifest.missing.len() > MOST_MISSING {
        let count = manifest.missing.len();
        return Err(Error::Stopped(format!(
            "{count} files of artifacts and attachments are gone: is their disk mounted?"
        )));
    }
    blobs.sort_unstable_by_key(|blob| blob.name);
    manifest.files.count = blobs.len() as u64;
    manifest.files.bytes = blobs.iter().map(|blob| blob.size).sum();
    Ok((manifest, blobs))
}

type EachRow<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), Error> + 'a;

/// Shows the rows of a table as they go into a backup.
fn each_row(tx: &ReadTx, table: Table, what: What, each: &mut EachRow<'_>) -> Result<(), Error> {
    let all = (Bound::Unbounded, Bound::Unbounded);
    let mut failed = Ok(());
    tx.scan(table, all, Direction::Forward, &mut |key, value| {
        let_others_go();
        let Some(value) = shown(table, key, value, what)? else {
            return Ok(ControlFlow::Continue(()));
        };
        failed = each(key, &value);
        Ok(if failed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    failed
}

/// What is left out of a backup without secrets, as its age names it.
const OF_SECRETS: [aging::Kind; 2] = [aging::Kind::Refresh, aging::Kind::Secret];

/// A row's value as it goes into a backup, `None` for a row that does not.
fn shown<'v>(
    table: Table,
    key: &[u8],
    value: &'v [u8],
    what: What,
) -> Result<Option<Cow<'v, [u8]>>, engine::Error> {
    Ok(match table {
        Table::Meta if key == JOURNAL.as_bytes() => None,
        _ if what.secrets => Some(Cow::Borrowed(value)),
        Table::Client => Some(Cow::Owned(client::without_secret(value)?)),
        Table::Refresh | Table::RefreshByClient | Table::Secret | Table::JobSecret
        // The URL that gets alerts may be a secret.
        | Table::Notice | Table::DeadNotice => None,
        Table::Expiry if OF_SECRETS.iter().any(|kind| kind.owns(key)) => None,
        _ => Some(Cow::Borrowed(value)),
    })
}

fn length(bytes: &[u8]) -> Result<[u8; 4], Error> {
    let length = u32::try_from(bytes.len())
        .map_err(|_| engine::Error::Encode(format!("a row of {} bytes", bytes.len())))?;
    Ok(length.to_be_bytes())
}

/// The keys that the server made for itself.
pub(in crate::store) fn keys(dir: Option<&Path>) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let Some(dir) = dir.map(|dir| dir.join(engine::KEYS)).filter(|dir| dir.exists()) else {
        return Ok(Vec::new());
    };
    let failed = |path: &Path, source| Error::Store(engine::Error::file(path, source));
    let mut found = Vec::new();
    for entry in fs::read_dir(&dir).map_err(|error| failed(&dir, error))? {
        let path: PathBuf = entry.map_err(|error| failed(&dir, error))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if is_key(name) {
            let bytes = fs::read(&path).map_err(|error| failed(&path, error))?;
            found.push((name.to_owned(), bytes));
        }
    }
    found.sort_unstable();
    Ok(found)
}
