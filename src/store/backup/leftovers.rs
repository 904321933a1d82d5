//! What an interrupted backup or restore has left.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::restore::{MARKER, remove};

/// Removes what backups and restores that were killed have left in a folder, and names it. `is_ours` knows the names of such
/// files and directories; those that somebody is still writing stay.
///
/// # Errors
/// What the disk says.
pub fn sweep(folder: &Path, is_ours: impl Fn(&str) -> bool) -> io::Result<Vec<PathBuf>> {
    let mut removed = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_str().is_some_and(&is_ours) {
            continue;
        }
        let path = entry.path();
        let is_dir = entry.file_type()?.is_dir();
        // A directory without its marker is somebody's data.
        let Ok(lock) = File::open(if is_dir { path.join(MARKER) } else { path.clone() }) else {
            continue;
        };
        if lock.try_lock().is_ok() {
            if is_dir {
                remove(&path)?;
            } else {
                fs::remove_file(&path)?;
            }
            removed.push(path);
        }
    }
    Ok(removed)
}
