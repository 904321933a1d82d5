//! A backup into a file: written aside, read again from the disk, and only then given its name.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, fadvise};

use super::read::{Sink, verify, walk};
use super::{Error, Manifest, Progress};
use crate::store::engine::disk::{Aside, check_room, folder, partial, sync_dir};

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
    let mut aside = Aside::create(path).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => Error::Locked(partial(path)),
        _ => Error::write(partial(path), error),
    })?;
    let failed = |source| Error::write(partial(path), source);
    let mut room = Room(Some(folder(path).to_owned()));
    copy(source, aside.file(), aside.place(), &mut room, progress)?;
    aside.file().sync_all().map_err(failed)?;
    // What is read now shall come from the disk and not from memory.
    let _ = fadvise(aside.file(), 0, None, Advice::DontNeed);
    let again = File::open(aside.place()).map_err(failed)?;
    let manifest = verify(again, progress)?;
    aside.name(replace).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Error::Exists(path.to_owned(), "it was made while the backup was under way")
        }
        _ => Error::write(path, error),
    })?;
    sync_dir(folder(path))?;
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
