//! A backup into a file: written aside, read again from the disk, and only then given its name.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, RenameFlags, fadvise, renameat_with};

use super::read::{Sink, verify, walk};
use super::{Error, Manifest, Progress};
use crate::store::engine::disk::{check_room, partial, sync_dir};

/// Copies a backup from `source` to `out` while checking it. Success means that everything arrived.
pub fn stream(
    source: impl Read,
    out: impl Write,
    name: &Path,
    progress: &mut Progress<'_>,
) -> Result<Manifest, Error> {
    copy(source, out, name, &mut Room(None), progress)
}

/// Writes a backup from `source` to the file `path`, which must not exist unless `replace`. The file is complete, checked
/// and durable when it gets its name; otherwise nothing is left.
pub fn save(
    source: impl Read,
    path: &Path,
    replace: bool,
    progress: &mut Progress<'_>,
) -> Result<Manifest, Error> {
    if !replace && path.exists() {
        return Err(Error::Exists(path.to_owned(), "give another name, or --force to replace it"));
    }
    let partial = Partial::create(path)?;
    let folder = folder(path);
    let mut room = Room(Some(folder.clone()));
    copy(source, &partial.file, &partial.path, &mut room, progress)?;
    let failed = |source| Error::write(&partial.path, source);
    partial.file.sync_all().map_err(failed)?;
    // What is read now shall come from the disk and not from memory.
    let _ = fadvise(&partial.file, 0, None, Advice::DontNeed);
    let again = File::open(&partial.path).map_err(failed)?;
    let manifest = verify(again, progress)?;
    partial.keep(path, replace)?;
    sync_dir(&folder)?;
    Ok(manifest)
}

fn copy(
    source: impl Read,
    out: impl Write,
    name: &Path,
    room: &mut Room,
    progress: &mut Progress<'_>,
) -> Result<Manifest, Error> {
    let mut tee = Tee { source, out, failed: None };
    let walked = walk(&mut tee, room, progress);
    let flushed = tee.out.flush();
    match (tee.failed, flushed) {
        (Some(source), _) => Err(Error::write(name, source)),
        (None, Err(source)) if walked.is_ok() => Err(Error::write(name, source)),
        _ => walked,
    }
}

/// The directory that a path is in.
pub(super) fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Looks whether a backup fits before it is written.
struct Room(Option<PathBuf>);

impl Sink for Room {
    fn manifest(&mut self, manifest: &Manifest) -> Result<(), Error> {
        self.0.as_ref().map_or(Ok(()), |folder| Ok(check_room(folder, manifest.size())?))
    }
}

/// Copies what is read. A failure to write reads as one of the source, and is kept apart here.
struct Tee<R, W> {
    source: R,
    out: W,
    failed: Option<io::Error>,
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(bytes)?;
        if let Err(error) = self.out.write_all(&bytes[..read]) {
            let kind = error.kind();
            self.failed = Some(error);
            return Err(kind.into());
        }
        Ok(read)
    }
}

/// A file under way, locked against others who want the same. Dropping it removes it.
struct Partial {
    path: PathBuf,
    file: File,
    kept: bool,
}

impl Partial {
    fn create(target: &Path) -> Result<Self, Error> {
        let path = partial(target);
        let failed = |source| Error::write(&path, source);
        remove_stale(&path)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        file.try_lock().map_err(|_| Error::Locked(path.clone()))?;
        Ok(Self { path, file, kept: false })
    }

    fn keep(mut self, target: &Path, replace: bool) -> Result<(), Error> {
        rename(&self.path, target, replace)?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes what an interrupted backup left, unless it is still at it.
fn remove_stale(path: &Path) -> Result<(), Error> {
    let failed = |source| Error::write(path, source);
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(file) => match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Locked(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        },
    }
    fs::remove_file(path).map_err(failed)
}

/// Gives a file its name; what has it already is replaced only on purpose.
fn rename(from: &Path, to: &Path, replace: bool) -> Result<(), Error> {
    use rustix::fs::CWD;
    let failed = |source| Error::write(to, source);
    if replace {
        return fs::rename(from, to).map_err(failed);
    }
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(rustix::io::Errno::EXIST) => {
            Err(Error::Exists(to.to_owned(), "it was made while the backup was under way"))
        }
        // A file system without this flag: the moment between looking and renaming stays open there.
        Err(rustix::io::Errno::INVAL) if !to.exists() => fs::rename(from, to).map_err(failed),
        Err(error) => Err(failed(error.into())),
        Ok(()) => Ok(()),
    }
}
