//! Files and directories: who may see them, and when their names are durable.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use super::{Error, KEYS};

/// Creates a directory that only its owner may enter, unless it is there.
pub(crate) fn create_private(dir: &Path) -> Result<(), Error> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|source| Error::file(dir, source))
}

/// Whether so many bytes are free.
pub(crate) fn check_room(folder: &Path, needed: u64) -> Result<(), Error> {
    let stat = rustix::fs::statvfs(folder).map_err(|error| Error::file(folder, error.into()))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
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
