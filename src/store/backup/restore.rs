//! A backup into a data directory: made aside, checked as a server would, and only then put in its place.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::load::Loader;
use super::read::walk;
use super::{Error, Manifest, Progress};
use crate::domain::Timestamp;
use crate::store::engine::disk::{create_private, folder, new_file, partial, sync_dir};
use crate::store::engine::{self, DATABASE};
use crate::store::upkeep::check::{self, Report, check};

/// Says that a directory is a restore under way, and locks out another one.
pub(crate) const MARKER: &str = "RESTORING";

/// Where a backup goes, and how.
pub struct Target {
    /// The data directory.
    pub dir: PathBuf,
    /// What is there is put aside; else only an empty or missing directory is accepted.
    pub replace: bool,
    /// Everything but the last step.
    pub dry_run: bool,
    /// Leave the signing key out, so that the server makes a new one and all tokens die.
    pub new_signing_key: bool,
    /// Names what is put aside.
    pub now: Timestamp,
}

/// What was restored.
pub struct Restored {
    /// What the backup says about itself.
    pub manifest: Manifest,
    /// Where the data is that was there before.
    pub put_aside: Option<PathBuf>,
    /// What the check of the new directory found: nothing, or there would be an error.
    pub report: Report,
}

/// Makes a data directory of a backup. At every moment the directory is the old one or the new one, whole.
///
/// # Errors
/// [`Error`]; nothing is changed then.
pub fn restore(
    source: impl Read,
    target: &Target,
    progress: &mut Progress<'_>,
) -> Result<Restored, Error> {
    let place = Place::look(target)?;
    let aside = Aside::create(&place.dir)?;
    let mut loader = Loader::new(&aside.dir, target.new_signing_key);
    let manifest = walk(source, &mut loader, progress)?;
    loader.sync()?;
    let options = check::Options { repair: false, hash: false };
    let report = check(&aside.dir, options, &mut |_| {})?;
    if !report.problems.is_empty() {
        let found = report.problems.join("; ");
        return Err(Error::bad(format!("what it holds does not fit together: {found}")));
    }
    if let Some((uid, gid)) = place.owner {
        give(&aside.dir, uid, gid)?;
    }
    if target.dry_run {
        return Ok(Restored { manifest, put_aside: None, report });
    }
    let put_aside = aside.put_in_place(&place, "before-restore", target.now)?;
    Ok(Restored { manifest, put_aside, report })
}

/// The directory where the data shall be.
pub(in crate::store) struct Place {
    pub(in crate::store) dir: PathBuf,
    /// There is something in it.
    pub(in crate::store) full: bool,
    /// Its owner, where that is somebody else.
    pub(in crate::store) owner: Option<(u32, u32)>,
    /// Keeps a server from starting on what is there.
    _lock: Option<File>,
}

impl Place {
    pub(in crate::store) fn look(target: &Target) -> Result<Self, Error> {
        let failed = |source| Error::write(&target.dir, source);
        // systemd makes state directories of dynamic users symbolic links.
        let dir = match fs::canonicalize(&target.dir) {
            Ok(dir) => dir,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let parent = fs::canonicalize(folder(&target.dir)).map_err(failed)?;
                let name = target.dir.file_name().ok_or_else(|| failed(error))?;
                return Ok(Self { dir: parent.join(name), full: false, owner: None, _lock: None });
            }
            Err(error) => return Err(failed(error)),
        };
        let full = is_full(&dir);
        let lock = lock(&dir)?;
        if full && !target.replace {
            let help = "give a new or an empty directory, or --replace to put it aside";
            return Err(Error::Exists(dir, help));
        }
        let found = fs::metadata(&dir).map_err(failed)?;
        if found.dev() != fs::metadata(folder(&dir)).map_err(failed)?.dev() {
            return Err(Error::MountPoint(dir));
        }
        let owner = (found.uid(), found.gid());
        let ours = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Ok(Self { dir, full, owner: (owner != ours).then_some(owner), _lock: lock })
    }
}

/// Takes the lock that a server has while it runs.
fn lock(dir: &Path) -> Result<Option<File>, Error> {
    let path = dir.join(DATABASE);
    match File::open(&path) {
        Ok(file) => match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(_) => Err(Error::Store(engine::Error::Locked(dir.to_owned()))),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::write(path, error)),
    }
}

/// The new directory until it is in its place. Dropping it removes it.
pub(in crate::store) struct Aside {
    pub(in crate::store) dir: PathBuf,
    _lock: File,
}

impl Aside {
    pub(in crate::store) fn create(target: &Path) -> Result<Self, Error> {
        let dir = partial(target);
        let marker = dir.join(MARKER);
        if is_full(&dir) {
            let help = "it is no restore that was interrupted: move it away";
            let file = File::open(&marker).map_err(|_| Error::Exists(dir.clone(), help))?;
            file.try_lock().map_err(|_| Error::Locked(dir.clone()))?;
            remove(&dir).map_err(|source| Error::write(&dir, source))?;
        }
        create_private(&dir)?;
        let failed = |source| Error::write(&marker, source);
        let lock = new_file(&marker).map_err(failed)?;
        lock.try_lock().map_err(|_| Error::Locked(dir.clone()))?;
        Ok(Self { dir, _lock: lock })
    }

    /// Gives it the name of the data directory, and what is there another one, which begins with `why`.
    pub(in crate::store) fn put_in_place(
        self,
        place: &Place,
        why: &str,
        now: Timestamp,
    ) -> Result<Option<PathBuf>, Error> {
        let failed = |source| Error::write(&place.dir, source);
        let put_aside = if place.full {
            Some(exchange(&self.dir, &place.dir, (why, now)).map_err(failed)?)
        } else {
            fs::rename(&self.dir, &place.dir).map_err(failed)?;
            None
        };
        sync_dir(folder(&place.dir))?;
        // Only now: until it had its name, this said that it may be removed.
        fs::remove_file(place.dir.join(MARKER)).map_err(failed)?;
        sync_dir(&place.dir)?;
        Ok(put_aside)
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if self.dir.join(MARKER).exists() {
            let _ = remove(&self.dir);
        }
    }
}

/// Whether there is anything in a directory, if it is there.
fn is_full(dir: &Path) -> bool {
    fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some())
}

/// Removes a restore under way. The marker goes last: without it, what a crash leaves would pass for somebody's data.
pub(super) fn remove(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            fs::remove_dir_all(path)?;
        } else if !path.ends_with(MARKER) {
            fs::remove_file(path)?;
        }
    }
    fs::remove_file(dir.join(MARKER))?;
    fs::remove_dir(dir)
}

/// Exchanges two directories in one step, so that no crash leaves neither; gives the new name of the old one.
fn exchange(new: &Path, old: &Path, (why, now): (&str, Timestamp)) -> io::Result<PathBuf> {
    let stamp = now.to_string().replace(':', "");
    let named = |number: &str| {
        let mut name = old.as_os_str().to_owned();
        name.push(format!(".{why}-{stamp}{number}"));
        PathBuf::from(name)
    };
    let mut put_aside = named("");
    for number in 2.. {
        // First under the name that the old one will have: whatever happens now, no name of ours is on the old data.
        match renameat_with(CWD, new, CWD, &put_aside, RenameFlags::NOREPLACE) {
            // Another restore of this second has the name.
            Err(Errno::EXIST) => put_aside = named(&format!("-{number}")),
            renamed => {
                renamed?;
                break;
            }
        }
    }
    match renameat_with(CWD, &put_aside, CWD, old, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(put_aside),
        Err(error) => {
            fs::rename(&put_aside, new)?;
            Err(error.into())
        }
    }
}

/// Gives everything in a directory to its owner: a server that runs as somebody else could not open files of root.
pub(in crate::store) fn give(dir: &Path, uid: u32, gid: u32) -> Result<(), Error> {
    let failed = |path: &Path, source| Error::write(path, source);
    for entry in fs::read_dir(dir).map_err(|error| failed(dir, error))? {
        let path = entry.map_err(|error| failed(dir, error))?.path();
        if path.is_dir() {
            give(&path, uid, gid)?;
        } else {
            chown(&path, Some(uid), Some(gid)).map_err(|error| failed(&path, error))?;
        }
    }
    chown(dir, Some(uid), Some(gid)).map_err(|error| failed(dir, error))
}
