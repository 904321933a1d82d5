//! GridFS: `fs.files` names artifacts and attachments, `fs.chunks` has their bytes.
//!
//! Pieces of several files may take turns, so that each piece goes to its place in a file aside. A file that has all of its
//! pieces is then hashed and becomes a blob.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::super::{Error, Outcome};
use super::{Document, Move, Stop};
use crate::domain::{BlobKind, JobId, Timestamp};
use crate::store::backup;
use crate::store::{self, BlobReads};

const FILES: &str = "fs.files";
const PIECE: usize = 256 * 1024;

/// A file of GridFS.
#[derive(Clone)]
struct Stored {
    id: String,
    size: u64,
    chunk: u64,
    at: Timestamp,
    /// What was lost of what the dump says about it.
    remark: &'static str,
}

impl Stored {
    fn chunks(&self) -> u64 {
        self.size.div_ceil(self.chunk)
    }
}

/// Whose file it is.
type Owner = (JobId, &'static str);

/// The files that the dump names.
#[derive(Default)]
pub(super) struct Files {
    newest: HashMap<Owner, Stored>,
    /// Those whose pieces are wanted, by the id that pieces name.
    wanted: HashMap<String, (Owner, Stored)>,
    have: HashSet<(String, u64)>,
    scratch: PathBuf,
}

impl Move<'_> {
    pub(super) fn file(&mut self, (_, fields): Document<'_>) -> Result<(), Stop> {
        let name = fields.text("filename").unwrap_or_default();
        let owner = name.rsplit_once('.').and_then(|(job, kind)| {
            let kind = BlobKind::ALL.into_iter().find(|known| known.as_str() == kind)?;
            Some((JobId::from_path(job)?, kind.as_str()))
        });
        let number = |name: &str| fields.int(name).and_then(|number| u64::try_from(number).ok());
        let sizes = number("length").zip(number("chunkSize").filter(|chunk| *chunk > 0));
        let (Some(owner), Some((size, chunk)), Some(id)) = (owner, sizes, fields.id("_id")) else {
            return Err(
                "it is not <job_id>.artifact or <job_id>.attachments, or its length is missing"
                    .into(),
            );
        };
        let at = fields.moment("uploadDate").at().unwrap_or(self.now).min(self.now);
        let new = Stored { id, size, chunk, at, remark: fields.losses().remark() };
        let old = self.files.newest.get(&owner);
        if old.is_some_and(|old| old.at > new.at) {
            self.load.note(FILES, &name, Outcome::Skipped, OLDER);
            return Ok(());
        }
        if self.files.newest.insert(owner, new).is_some() {
            self.load.note(FILES, &name, Outcome::Skipped, OLDER);
        }
        Ok(())
    }

    /// Decides which files are wanted, once it is known which jobs were taken.
    pub(super) fn want_files(&mut self) -> Result<(), Error> {
        self.files.scratch = self.build.scratch()?;
        for (owner, stored) in std::mem::take(&mut self.files.newest) {
            let (job, kind) = owner;
            if !self.may_have(FILES, job) {
                continue;
            }
            let old = self.load.store.read()?.blob(job, kind_of(kind))?;
            let name = format!("{job}.{kind}");
            match old {
                Some(old) if old.created_at > stored.at => {
                    self.load.note(FILES, &name, Outcome::Kept, "newer ones came here since");
                }
                Some(old) if (old.created_at, old.size) == (stored.at, stored.size) => {
                    self.load.note(FILES, &name, Outcome::Taken, "");
                }
                _ => drop(self.files.wanted.insert(stored.id.clone(), (owner, stored))),
            }
        }
        Ok(())
    }

    pub(super) fn chunk(&mut self, (_, fields): Document<'_>) -> Result<(), Stop> {
        let id = fields.id("files_id").unwrap_or_default();
        let Some((_, stored)) = self.files.wanted.get(&id) else { return Ok(()) };
        let n = fields.int("n").and_then(|n| u64::try_from(n).ok());
        let (Some(n), Some(data)) = (n, fields.bytes("data")) else {
            return Err("it has no number or no bytes".into());
        };
        let length = stored.size.saturating_sub(n.saturating_mul(stored.chunk)).min(stored.chunk);
        if n >= stored.chunks() || data.len() as u64 != length {
            return Err("it has another size or place than its file says".into());
        }
        let path = self.files.scratch.join(&id);
        let put = |path: &PathBuf| {
            let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
            file.write_all_at(data, n * stored.chunk)
        };
        put(&path).map_err(|source| Error::from(backup::Error::Write { path, source }))?;
        self.files.have.insert((id, n));
        Ok(())
    }

    /// Makes blobs of the files that are whole.
    pub(super) fn put_files(&mut self) -> Result<(), Error> {
        let mut counts: HashMap<String, u64> = HashMap::new();
        for (id, _) in self.files.have.drain() {
            *counts.entry(id).or_default() += 1;
        }
        for (id, (owner, stored)) in std::mem::take(&mut self.files.wanted) {
            backup::check_interrupted()?;
            let name = format!("{}.{}", owner.0, owner.1);
            let (have, all) = (counts.get(&id).copied().unwrap_or(0), stored.chunks());
            if have < all {
                let why = format!("{} of its {all} chunks are missing", all - have);
                self.load.note(FILES, &name, Outcome::LeftOut, &why);
                continue;
            }
            self.put_file(owner, &stored)?;
            let became = if stored.remark.is_empty() { Outcome::Taken } else { Outcome::Changed };
            self.load.note(FILES, &name, became, stored.remark);
        }
        Ok(())
    }

    fn put_file(&self, (job, kind): Owner, stored: &Stored) -> Result<(), Error> {
        let path = self.files.scratch.join(&stored.id);
        let mut upload = self.load.store.blobs().upload()?;
        if stored.size > 0 {
            let failed = |source| Error::Read { path: path.clone(), source };
            let mut file = File::open(&path).map_err(failed)?;
            let mut piece = vec![0; PIECE];
            loop {
                match file.read(&mut piece) {
                    Ok(0) => break,
                    Ok(read) => upload.write(&piece[..read])?,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(failed(error)),
                }
            }
            std::fs::remove_file(&path).map_err(failed)?;
        }
        let (blob, kind) = (upload.finish(stored.at)?, kind_of(kind));
        self.load.store.write(move |tx, _| {
            tx.put_blob(job, kind, &blob)?;
            Ok::<_, store::Error>(())
        })?;
        upload.keep();
        Ok(())
    }
}

const OLDER: &str = "newer files of the same names came after them";

fn kind_of(word: &str) -> BlobKind {
    if word == BlobKind::Artifact.as_str() { BlobKind::Artifact } else { BlobKind::Attachments }
}
