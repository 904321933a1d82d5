//! Files and directories: who may see them, and when their names are durable.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{Error, KEYS};

/// Creates a directory that only its owner may enter, unless it is there.
pub(crate) fn create_private(dir: &Path) -> Result<(), Error> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|source| Error::file(dir, source))
}

/// How many bytes are free for this process on the disk of a folder.
pub(crate) fn free(folder: &Path) -> Result<u64, Error> {
    let stat = rustix::fs::statvfs(folder).map_err(|error| Error::file(folder, error.into()))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Fails unless `needed` bytes are free.
pub(crate) fn check_room(folder: &Path, needed: u64) -> Result<(), Error> {
    let free = free(folder)?;
    if free < needed {
        return Err(Error::Space { path: folder.to_owned(), needed, free });
    }
    Ok(())
}

/// Gives what root has made in a data directory to the directory's owner: a server that runs as somebody else could not
/// open it. Blobs are not looked at; nothing but a server makes those, and a restore has its own way.
pub fn give_to_owner(dir: &Path) -> Result<(), Error> {
    let failed = |source| Error::file(dir, source);
    let owner = fs::metadata(dir).map_err(failed)?;
    if !rustix::process::geteuid().is_root() || owner.uid() == 0 {
        return Ok(());
    }
    for folder in [dir, &dir.join(KEYS)].into_iter().filter(|folder| folder.exists()) {
        for entry in fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            lchown(path, Some(owner.uid()), Some(owner.gid())).map_err(failed)?;
        }
    }
    Ok(())
}

/// What a file or directory is called until it is complete.
#[must_use]
pub fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// Takes all rights on a file from everybody but its owner.
pub(crate) fn restrict_mode(path: &Path) -> Result<(), Error> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
        .map_err(|source| Error::file(path, source))
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), Error> {
    fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(|source| Error::file(dir, source))
}

/// The directory that a path is in.
pub(crate) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}

/// Creates a file that only its owner may read, and that is not there yet.
pub(crate) fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// A file under way: written under another name, locked against others who want the same, and given its own name when it
/// is whole and durable. Dropping it before that removes it.
pub(crate) struct Aside {
    path: PathBuf,
    partial: PathBuf,
    file: File,
    named: bool,
}

impl Aside {
    /// Begins the file `path`. What an interrupted attempt left is removed, unless it is still at it: that is
    /// [`ErrorKind::WouldBlock`].
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let partial = partial(path);
        let file = match new_file(&partial) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                match File::open(&partial)?.try_lock() {
                    Ok(()) => fs::remove_file(&partial)?,
                    Err(TryLockError::WouldBlock) => return Err(ErrorKind::WouldBlock.into()),
                    Err(TryLockError::Error(error)) => return Err(error),
                }
                new_file(&partial)?
            }
            file => file?,
        };
        match file.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), partial, file, named: false }),
            Err(_) => Err(ErrorKind::WouldBlock.into()),
        }
    }

    /// The file to write to.
    pub(crate) const fn file(&self) -> &File {
        &self.file
    }

    /// Where it is now.
    pub(crate) fn place(&self) -> &Path {
        if self.named { &self.path } else { &self.partial }
    }

    /// Makes the file durable and gives it its name, which is durable once the directory is ([`sync_dir`]). What has the
    /// name already is replaced, or is [`ErrorKind::AlreadyExists`].
    pub(crate) fn name(&mut self, replace: bool) -> io::Result<()> {
        self.file.sync_all()?;
        if replace {
            fs::rename(&self.partial, &self.path)?;
        } else {
            match renameat_with(CWD, &self.partial, CWD, &self.path, RenameFlags::NOREPLACE) {
                // A file system without this flag: the moment between looking and renaming stays open there.
                Err(rustix::io::Errno::INVAL) if !self.path.exists() => {
                    fs::rename(&self.partial, &self.path)?;
                }
                renamed => renamed?,
            }
        }
        self.named = true;
        Ok(())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.named {
            let _ = fs::remove_file(&self.partial);
        }
    }
}
