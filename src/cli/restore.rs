//! `restore`

use std::path::PathBuf;

use super::admin::Place;
use super::output::say;
use super::progress::Bar;
use super::verify;
use super::{Failure, interrupt};
use crate::domain::{Clock, SystemClock, counted};
use crate::store::backup::{self, Target};

/// Arguments of `restore`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The backup, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Move what is in the data directory aside, to DIR.before-restore-TIME
    #[arg(long)]
    replace: bool,
    /// Do everything except the last step, and say what that would be
    #[arg(long)]
    dry_run: bool,
    /// Do not restore the key that signs tokens, so that everybody who has a token must log in again
    #[arg(long)]
    new_signing_key: bool,
    #[command(flatten)]
    place: Place,
}

/// Runs `restore`.
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let target = Target {
        dir: args.place.settings()?.storage.data_dir,
        replace: args.replace,
        dry_run: args.dry_run,
        new_signing_key: args.new_signing_key,
        now: SystemClock.now(),
    };
    let source = verify::open(&args.file)?;
    interrupt::catch()?;
    let restored = {
        let mut bar = Bar::new(&["restoring"]);
        backup::restore(source, &target, &mut bar.backup())?
    };
    let (dir, manifest) = (target.dir.display(), &restored.manifest);
    let what = format!(
        "{} and {} as of {} on {}",
        counted(manifest.row_count(), "row", "rows"),
        counted(manifest.files.count, "file", "files"),
        manifest.created_at,
        manifest.host
    );
    if target.dry_run {
        say!("{dir} would get {what}; they were restored beside it, checked and removed again");
        return Ok(());
    }
    say!("{dir} has {what}; they were checked");
    if let Some(old) = restored.put_aside {
        say!("the data that was there before is now {}", old.display());
    }
    for missing in &manifest.missing {
        say!("the backup lacks {missing}");
    }
    if !manifest.secrets {
        say!("the backup has no secrets: give each client a new one with client-admin set-secret");
    }
    Ok(())
}
