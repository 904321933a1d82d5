//! A data directory that is built aside, from nothing or from a copy of what is there, and put in its place in one step.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::backup::{Aside, Error, MARKER, Place, Target, check_interrupted, give, put_key};
use super::engine::disk::{create_private, sync_dir};
use super::engine::{self, BLOBS, DATABASE, KEYS};
use super::upkeep::check::{self, Report, check};
use super::{Blobs, Options, Store};
use crate::domain::{SystemClock, Timestamp};

const SCRATCH: &str = "scratch";

/// Page cache, bytes. Whatever is written is seldom read again, and the check has a cache of its own afterwards.
const CACHE: usize = 16 << 20;

/// A data directory under way. Dropping it removes it, and nothing is changed.
pub struct Build {
    // Closed before the directory is removed.
    store: Store,
    aside: Aside,
    place: Place,
    target: Target,
}

/// What was built.
pub struct Built {
    /// Where the data is that was there before.
    pub put_aside: Option<PathBuf>,
    /// What the check found: rows and files, and no problem.
    pub report: Report,
}

/// A directory that is written aside and put in its place in one step. Dropping it removes it.
pub struct NewDir {
    aside: Aside,
    place: Place,
}

impl NewDir {
    /// Begins a directory that shall be at `dir`, where nothing is, or an empty directory.
    ///
    /// # Errors
    /// [`Error::Exists`], or what the disk says.
    pub fn begin(dir: &Path, now: Timestamp) -> Result<Self, Error> {
        let dir = dir.to_owned();
        let target = Target { dir, replace: false, dry_run: false, new_signing_key: false, now };
        let place = Place::look(&target).map_err(|error| match error {
            Error::Exists(dir, _) => Error::Exists(dir, "give a new or an empty directory"),
            error => error,
        })?;
        Ok(Self { aside: Aside::create(&place.dir)?, place })
    }

    /// Where it is until then.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.aside.dir
    }

    /// Makes everything in it durable and gives it its name.
    ///
    /// # Errors
    /// What the disk says.
    pub fn finish(self, now: Timestamp) -> Result<(), Error> {
        let failed = |source: io::Error| Error::Write { path: self.aside.dir.clone(), source };
        let dir = fs::File::open(&self.aside.dir).map_err(failed)?;
        // There may be a million files: the whole file system at once is faster than each of them.
        rustix::fs::syncfs(&dir).map_err(|errno| failed(errno.into()))?;
        if let Some((uid, gid)) = self.place.owner {
            give(&self.aside.dir, uid, gid)?;
        }
        self.aside.put_in_place(&self.place, "", now).map(drop)
    }
}

impl Build {
    /// Begins with an empty directory, whatever is at the target.
    ///
    /// # Errors
    /// [`Error::Exists`] when something is there that may not be replaced, [`engine::Error::Locked`] while a server uses it.
    pub fn begin_anew(target: Target) -> Result<Self, Error> {
        let place = Place::look(&target)?;
        let aside = Aside::create(&place.dir)?;
        Self::open(aside, place, target)
    }

    /// Begins with an empty directory, or with a copy of the data that is at the target. Files of blobs never change, so
    /// that the copy shares them.
    ///
    /// # Errors
    /// [`Error::Exists`] when there is something else, [`engine::Error::Locked`] while a server uses it.
    pub fn begin(target: Target) -> Result<Self, Error> {
        let place = Place::look(&target)?;
        let aside = Aside::create(&place.dir)?;
        if place.full {
            if !place.dir.join(DATABASE).exists() {
                let help =
                    "it has no data of this server: give its data directory, or a new or empty one";
                return Err(Error::Exists(place.dir.clone(), help));
            }
            copy(&place.dir, &aside.dir, |from, to| fs::copy(from, to))?;
        }
        Self::open(aside, place, target)
    }

    fn open(aside: Aside, place: Place, target: Target) -> Result<Self, Error> {
        let options =
            Options { cache: CACHE, clock: Arc::new(SystemClock), on_fatal: Box::new(|_| {}) };
        let store = Store::open_aside(&aside.dir, options)?;
        Ok(Self { store, aside, place, target })
    }

    /// What is built.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Where it is until then.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.aside.dir
    }

    /// Adds a key.
    ///
    /// # Errors
    /// What the disk says.
    pub fn put_key(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        put_key(&self.aside.dir, name, bytes)
    }

    /// A folder beside the data for what is needed only until the end.
    ///
    /// # Errors
    /// What the disk says.
    pub fn scratch(&self) -> Result<PathBuf, Error> {
        let path = self.aside.dir.join(SCRATCH);
        create_private(&path)?;
        Ok(path)
    }

    /// Checks everything and puts it in its place, unless it is a dry run. `why` begins the name that the data gets which was
    /// there before.
    ///
    /// # Errors
    /// [`Error`]; nothing is changed then.
    pub fn finish(self, why: &str) -> Result<Built, Error> {
        self.store.close()?;
        let scratch = self.aside.dir.join(SCRATCH);
        if scratch.exists() {
            fs::remove_dir_all(&scratch)
                .map_err(|source| Error::Write { path: scratch, source })?;
        }
        Blobs::new(self.aside.dir.join(BLOBS)).sync()?;
        if self.aside.dir.join(KEYS).exists() {
            sync_dir(&self.aside.dir.join(KEYS))?;
        }
        sync_dir(&self.aside.dir)?;
        let options = check::Options { repair: false, hash: false };
        let report = check(&self.aside.dir, options, &mut |_| {})?;
        if !report.problems.is_empty() {
            let found = report.problems.join("; ");
            return Err(engine::Error::Corrupt(format!("what was built: {found}")).into());
        }
        check_interrupted()?;
        if let Some((uid, gid)) = self.place.owner {
            give(&self.aside.dir, uid, gid)?;
        }
        if self.target.dry_run {
            return Ok(Built { put_aside: None, report });
        }
        let put_aside = self.aside.put_in_place(&self.place, why, self.target.now)?;
        Ok(Built { put_aside, report })
    }
}

/// How a file becomes one of the copy.
type CopyFile = fn(&Path, &Path) -> io::Result<u64>;

/// Copies a data directory; what is neither a file nor a directory, such as the socket, stays behind.
fn copy(from: &Path, to: &Path, file: CopyFile) -> Result<(), Error> {
    let failed = |path: &Path, source| Error::Write { path: path.to_owned(), source };
    for entry in fs::read_dir(from).map_err(|source| failed(from, source))? {
        let entry = entry.map_err(|source| failed(from, source))?;
        let (path, copied) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(|source| failed(&path, source))?;
        check_interrupted()?;
        if kind.is_dir() {
            create_private(&copied)?;
            copy(&path, &copied, if path.ends_with(BLOBS) { link } else { file })?;
        } else if kind.is_file() && entry.file_name() != MARKER {
            file(&path, &copied).map_err(|source| failed(&copied, source))?;
        }
    }
    Ok(())
}

/// A second name for a file, or a copy where the file system knows no second names.
fn link(from: &Path, to: &Path) -> io::Result<u64> {
    fs::hard_link(from, to).map(|()| 0).or_else(|_| fs::copy(from, to))
}
