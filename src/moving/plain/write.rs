//! `export`: what there is becomes files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::out::Out;
use super::shapes::Server;
use super::{END, Error, FORMAT, KEYS, KINDS, SERVER};
use crate::domain::Timestamp;
use crate::store::{NewDir, ReadTx, RuleReads, Store, Whole, backup};

/// What to export, and how.
pub struct Export {
    /// The folder, which is not there yet, or is empty.
    pub dir: PathBuf,
    /// Hashes, tokens, secrets and keys, too.
    pub secrets: bool,
    /// Read everything and write nothing.
    pub dry_run: bool,
    /// The present moment.
    pub now: Timestamp,
}

/// What was exported.
pub struct Exported {
    /// The lines of each kind.
    pub lines: BTreeMap<String, u64>,
    /// Bytes of all files.
    pub bytes: u64,
    /// Artifacts and attachments whose bytes are gone.
    pub missing: Vec<String>,
}

/// An export under way.
pub(super) struct Writing<'a> {
    pub(super) tx: &'a ReadTx,
    pub(super) store: &'a Store,
    pub(super) secrets: bool,
    pub(super) out: &'a Out,
    pub(super) missing: Vec<String>,
}

/// Exports everything as it is at one moment.
///
/// # Errors
/// [`Error`]; there is no folder then.
pub fn export(store: &Store, export: &Export) -> Result<Exported, Error> {
    let folder = if export.dry_run { None } else { Some(NewDir::begin(&export.dir, export.now)?) };
    let out = Out::new(folder.as_ref().map(|folder| folder.path().to_owned()));
    let written = write(store, export, &out);
    // What stopped it may have been a signal.
    backup::check_interrupted()?;
    let exported = written?;
    if let Some(folder) = folder {
        folder.finish(export.now)?;
    }
    Ok(exported)
}

fn write(store: &Store, export: &Export, out: &Out) -> Result<Exported, Error> {
    let tx = store.read()?;
    let secrets = export.secrets;
    let mut writing = Writing { tx: &tx, store, secrets, out, missing: Vec::new() };
    let mut lines = BTreeMap::new();
    for kind in KINDS.iter().filter(|kind| secrets || !kind.secret) {
        let mut file = out.create(&format!("{}{END}", kind.name))?;
        (kind.write)(&mut writing, &mut file)?;
        lines.insert(kind.name.to_owned(), file.end()?);
    }
    let missing = writing.missing;
    let whole = tx.whole()?;
    // It has sums of hashes.
    let moved_in = if secrets { whole.moved_in } else { String::new() };
    let server = Server {
        format: FORMAT,
        product: concat!("testflinger-server ", env!("CARGO_PKG_VERSION")).to_owned(),
        created_at: export.now,
        secrets,
        lines,
        drained_since: tx.drained_since()?,
        retries: tx.queues_with_retries()?.into_iter().collect(),
        whole: Whole { moved_in, ..whole },
    };
    if secrets {
        for (name, bytes) in store.keys()? {
            let mut file = out.create(&format!("{KEYS}/{name}"))?;
            file.raw(&bytes)?;
            file.end()?;
        }
    }
    let mut file = out.create(SERVER)?;
    file.put(&server)?;
    file.end()?;
    Ok(Exported { lines: server.lines, bytes: out.bytes(), missing })
}
