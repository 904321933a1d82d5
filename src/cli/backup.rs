//! `backup`

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;

use super::admin::{Admin, Missing, Place};
use super::output::tell;
use super::progress::{Bar, size};
use super::{Failure, INCOMPLETE, interrupt};
use crate::domain::{Clock, SystemClock, counted};
use crate::store::backup::{self, Manifest};

/// Arguments of `backup`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The file to write, or a directory for a file named after the time, or - for standard output
    #[arg(value_name = "FILE")]
    to: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
    /// Leave out keys, tokens and hashes of secrets, for support; job contents are still included
    #[arg(long)]
    without_secrets: bool,
    /// Keep this many backups in the directory; older ones are removed once the new one is verified
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep: Option<u32>,
    #[command(flatten)]
    place: Place,
}

/// Runs `backup`.
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let to_stdout = args.to.as_os_str() == "-";
    if to_stdout && io::stdout().is_terminal() {
        return Err(Failure::new(
            2,
            "a backup is not written to a terminal: name a file, or pipe standard output",
        ));
    }
    let folder = (!to_stdout && args.to.is_dir()).then(|| args.to.clone());
    if args.keep.is_some() && folder.is_none() {
        return Err(Failure::new(2, "--keep needs an existing directory to keep the backups in"));
    }
    let begun = Instant::now();
    interrupt::catch()?;
    if let Some(folder) = &folder {
        sweep(folder)?;
    }
    let path = folder.as_ref().map_or_else(|| args.to.clone(), |folder| folder.join(file_name()));
    if !to_stdout && backup::partial(&path).exists() {
        tell!("{} was left by an interrupted backup", backup::partial(&path).display());
    }
    let mut admin = Admin::open(args.place, Missing::Refuse)?;
    let done = take(&mut admin, &path, to_stdout, args.force, args.without_secrets);
    // One for support cannot be restored to go on with.
    if let (Ok(manifest), false) = (&done, args.without_secrets) {
        note(&mut admin, manifest, &path, !to_stdout);
    }
    let manifest = admin.close().and(done)?;
    let what = if to_stdout { "standard output".to_owned() } else { path.display().to_string() };
    // What became of it behind standard output is not known here.
    let proved = if to_stdout { "sent" } else { "verified" };
    tell!(
        "{what}: {} and {}, about {}, in {:.1?}: {proved}",
        counted(manifest.row_count(), "row", "rows"),
        counted(manifest.files.count, "file", "files"),
        size(manifest.size()),
        begun.elapsed()
    );
    if !manifest.missing.is_empty() {
        return Err(incomplete(&manifest));
    }
    match (folder, args.keep) {
        (Some(folder), Some(keep)) => remove_older(&folder, &manifest.instance, keep as usize),
        _ => Ok(()),
    }
}

/// Lets the server remember the backup. One that cannot be remembered is a backup all the same.
fn note(admin: &mut Admin, manifest: &Manifest, path: &Path, verified: bool) {
    let to = std::path::absolute(path).ok().filter(|_| verified);
    let note = json!({
        "at": manifest.created_at,
        "bytes": manifest.size(),
        "missing": manifest.missing.len(),
        "to": to.unwrap_or_else(|| "-".into()).to_string_lossy(),
        "verified": verified,
    });
    if let Err(failure) = admin.call("PUT", "/admin/backup", Some(&note)) {
        tell!("the server does not remember this backup: {}", failure.message);
    }
}

/// Names the files that a backup lacks. Older backups stay, because they may still have them.
fn incomplete(manifest: &Manifest) -> Failure {
    const NAMED: usize = 100;
    for missing in manifest.missing.iter().take(NAMED) {
        tell!("missing: {missing}");
    }
    let files = counted(manifest.missing.len() as u64, "file", "files");
    Failure::new(
        INCOMPLETE,
        format!(
            "the backup lacks {files}; no older backup was removed. To forget what is gone, stop the \
             server and run: testflinger-server check --repair"
        ),
    )
}

fn take(
    admin: &mut Admin,
    path: &Path,
    to_stdout: bool,
    force: bool,
    without_secrets: bool,
) -> Result<Manifest, Failure> {
    let request = if without_secrets { "/admin/backup?secrets=no" } else { "/admin/backup" };
    if !to_stdout && !force && path.exists() {
        let help = "give another name, or --force to replace it";
        return Err(backup::Error::Exists(path.to_owned(), help).into());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !to_stdout && !folder.exists()) {
        return Err(Failure::new(1, format!("the directory {} does not exist", folder.display())));
    }
    let source = admin.open_stream("POST", request)?;
    let mut bar = Bar::new(&["writing", "reading again"]);
    Ok(if to_stdout {
        let out = io::stdout();
        let manifest = backup::stream(source, out.lock(), path, &mut bar.backup())?;
        // If it is a file, this makes it durable.
        let _ = rustix::fs::fsync(out);
        manifest
    } else {
        backup::save(source, path, force, &mut bar.backup())?
    })
}

const PREFIX: &str = "testflinger-";
const SUFFIX: &str = ".tar";
/// Ends the name of the directory of a drill.
pub(super) const DRILL: &str = ".drill";

/// The name of a backup that is made at this moment.
fn file_name() -> String {
    let stamp: String = SystemClock.now().to_string().split('.').take(1).collect();
    let stamp: String = stamp.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{PREFIX}{}Z{SUFFIX}", stamp.trim_end_matches('Z'))
}

/// Whether a name was made by [`file_name`]; no other file is ever removed or chosen.
fn is_ours(name: &str) -> bool {
    let stamp = name.strip_prefix(PREFIX).and_then(|name| name.strip_suffix(SUFFIX));
    let shape: Option<String> = stamp
        .map(|stamp| stamp.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect());
    shape.as_deref() == Some("00000000T000000Z")
}

/// The names of the backups in a folder, the oldest first.
fn names(folder: &Path) -> Result<Vec<String>, Failure> {
    let failed = |error: io::Error| Failure::file(folder, &error);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        names.extend(name.to_str().filter(|name| is_ours(name)).map(ToOwned::to_owned));
    }
    names.sort_unstable();
    Ok(names)
}

/// Removes what backups and drills left that were killed.
pub(super) fn sweep(folder: &Path) -> Result<(), Failure> {
    let left = |name: &str| {
        let begun = name.strip_suffix(".partial").unwrap_or_default();
        is_ours(begun.strip_suffix(DRILL).unwrap_or(begun))
    };
    let removed = backup::sweep(folder, left).map_err(|error| Failure::file(folder, &error))?;
    for path in removed {
        tell!("removed {}, which an interrupted command had left", path.display());
    }
    Ok(())
}

/// The newest backup in a folder.
pub(super) fn newest(folder: &Path) -> Result<PathBuf, Failure> {
    let none = || Failure::new(1, format!("there is no backup in {}", folder.display()));
    names(folder)?.pop().map(|name| folder.join(name)).ok_or_else(none)
}

/// Removes all but the newest; the one that was just verified is among those. Two servers may share a folder, so a backup
/// of another database stays, and so does a file that does not say which database it is of.
fn remove_older(folder: &Path, instance: &str, keep: usize) -> Result<(), Failure> {
    let mut paths: Vec<PathBuf> = names(folder)?.iter().map(|name| folder.join(name)).collect();
    paths.retain(|path| backup::manifest(path).is_some_and(|found| found.instance == instance));
    for path in &paths[..paths.len().saturating_sub(keep)] {
        fs::remove_file(path).map_err(|error| Failure::file(path, &error))?;
        tell!("removed {}", path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_this_program_gives_are_its_own() {
        assert!(is_ours(&file_name()), "{}", file_name());
        for name in ["testflinger-old.tar", "testflinger-20261124T110800Z.tar.gz", "x.tar"] {
            assert!(!is_ours(name), "{name}");
        }
    }
}
