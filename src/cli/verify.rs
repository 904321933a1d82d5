//! `verify`

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::output::{self, Format, say};
use super::progress::{Bar, size};
use super::{Failure, interrupt};
use crate::domain::{Clock, SystemClock};
use crate::store::backup::{self, Manifest, Target};

/// Arguments of `verify`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The backup, a directory for the newest backup in it, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Restore the backup to a temporary directory, check that directory as a server would, and remove it
    #[arg(long)]
    drill: bool,
    /// With --drill: make the temporary directory beside this data directory [default: beside the backup]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    format: Format,
}

/// Runs `verify`.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let file =
        if args.file.is_dir() { super::backup::newest(&args.file)? } else { args.file.clone() };
    let source = open(&file)?;
    let manifest = {
        let mut bar = Bar::new(if args.drill { &["restoring"] } else { &["verifying"] });
        if args.drill {
            interrupt::catch()?;
            if args.file.is_dir() {
                super::backup::sweep(&args.file)?;
            }
            let target = Target {
                dir: drill_dir(args.data_dir.as_deref().unwrap_or(&file)),
                replace: false,
                dry_run: true,
                new_signing_key: false,
                now: SystemClock.now(),
            };
            backup::restore(source, &target, &mut bar.backup())?.manifest
        } else {
            backup::verify(source, &mut bar.backup())?
        }
    };
    if args.format.json() {
        return output::json(&manifest);
    }
    if file != args.file {
        say!("{}", file.display());
    }
    say!("{}", about(&manifest, args.drill));
    Ok(())
}

/// Opens a file, or standard input for `-`.
pub(super) fn open(path: &Path) -> Result<Box<dyn Read>, Failure> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    if path.is_dir() {
        let (dir, newest) = (path.display(), super::backup::newest(path)?);
        let newest = newest.display();
        let why = format!("{dir} is a directory: name a backup, of which {newest} is the newest");
        return Err(Failure::new(2, why));
    }
    let file = File::open(path).map_err(|error| Failure::file(path, &error))?;
    Ok(Box::new(file))
}

fn drill_dir(file: &Path) -> PathBuf {
    let name = if file.as_os_str() == "-" { Path::new("testflinger-backup") } else { file };
    let mut path = name.as_os_str().to_owned();
    path.push(super::backup::DRILL);
    path.into()
}

fn about(manifest: &Manifest, drilled: bool) -> String {
    let proved = if drilled { "was restored and checked" } else { "is complete and undamaged" };
    let secrets = if manifest.secrets { "keys and secrets included" } else { "without secrets" };
    let missing = match manifest.missing.len() {
        0 => String::new(),
        count => format!("; {count} were gone when it was made"),
    };
    format!(
        "the backup {proved}\n\
         made       {} on {} by {}\n\
         database   {}, schema version {}\n\
         rows       {} ({} jobs, {} clients)\n\
         files      {}, {}{missing}\n\
         secrets    {secrets}",
        manifest.created_at,
        manifest.host,
        manifest.product,
        manifest.instance,
        manifest.schema,
        manifest.row_count(),
        manifest.jobs(),
        manifest.clients(),
        manifest.files.count,
        size(manifest.files.bytes),
    )
}
