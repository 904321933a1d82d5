//! `check`

use std::path::{Path, PathBuf};

use serde_json::json;

use super::admin::{Admin, Place};
use super::output::{self, Format, say, tell};
use super::progress::{Bar, size};
use super::{Failure, INCOMPLETE, interrupt};
use crate::domain::{Clock, SystemClock, counted};
use crate::store::backup;
use crate::store::check::{self, Options, Report};

/// Arguments of `check`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Rebuild the indexes, forget files that are gone, and move damaged files aside
    #[arg(long)]
    repair: bool,
    /// Check only the sizes of files, without reading them
    #[arg(long)]
    quick: bool,
    /// Give space that the database no longer needs back to the file system, if nothing is wrong
    #[arg(long)]
    compact: bool,
    /// Write every row and file that is whole to this new data directory, and say what is lost
    #[arg(long, value_name = "INTO", conflicts_with_all = ["repair", "quick", "compact"])]
    salvage: Option<PathBuf>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    place: Place,
}

/// Runs `check`.
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let settings = args.place.settings()?;
    let dir = &settings.storage.data_dir;
    if let Some(into) = args.salvage {
        return salvage(dir, into, args.format);
    }
    let options = Options { repair: args.repair, hash: !args.quick };
    // What changes the database needs it alone, and says so.
    let running = if args.repair || args.compact { None } else { Admin::of_running(&settings)? };
    let report = if let Some(admin) = running {
        ask(admin, options.hash)?
    } else {
        let mut bar = Bar::new(&[]);
        check::check(dir, options, &mut |bytes| bar.more(bytes))?
    };
    if args.format.json() {
        output::json(&report)?;
    } else {
        print(&report);
    }
    if report.problems.is_empty() {
        if args.compact {
            let (before, after) = check::compact(dir)?;
            tell!("the database had {}, and has {} now", size(before), size(after));
        }
        return Ok(());
    }
    let count = report.problems.len() as u64 + report.more;
    let help = if args.repair {
        "these cannot be repaired: restore a backup"
    } else {
        "stop the server and try --repair, or restore a backup"
    };
    Err(Failure::new(5, format!("{}: {count} problems; {help}", dir.display())))
}

fn salvage(dir: &Path, into: PathBuf, format: Format) -> Result<(), Failure> {
    interrupt::catch()?;
    let (to, now) = (into.display().to_string(), SystemClock.now());
    let saved = {
        let mut bar = Bar::new(&[]);
        backup::salvage(dir, into, now, &mut |bytes| bar.more(bytes))?
    };
    let (report, count) = (&saved.report, saved.lost.len() as u64 + saved.more);
    if format.json() {
        output::json(&json!({
            "bytes": report.bytes,
            "files": report.files,
            "lost": saved.lost,
            "more_lost": saved.more,
            "rows": report.rows,
        }))?;
    } else {
        for line in &saved.lost {
            say!("lost: {line}");
        }
        let bytes = size(report.bytes);
        say!(
            "{to} has {} and {} ({bytes}); they were checked",
            counted(report.rows, "row", "rows"),
            counted(report.files, "file", "files")
        );
    }
    match count {
        0 => Ok(()),
        _ => Err(Failure::new(INCOMPLETE, format!("{count} losses; everything else is in {to}"))),
    }
}

/// Lets a running server check its data.
fn ask(mut admin: Admin, hash: bool) -> Result<Report, Failure> {
    let path = if hash { "/admin/check" } else { "/admin/check?hash=no" };
    let answer = admin.call("POST", path, None)?;
    admin.close()?;
    serde_json::from_str(&answer)
        .map_err(|error| Failure::new(1, format!("the server's answer is not a report: {error}")))
}

fn print(report: &Report) {
    for line in &report.repaired {
        say!("repaired: {line}");
    }
    for line in &report.problems {
        say!("problem: {line}");
    }
    if report.more > 0 {
        say!("and {} more", report.more);
    }
    let bytes = size(report.bytes);
    let verdict = if report.problems.is_empty() { ": nothing is wrong" } else { "" };
    let (rows, files) =
        (counted(report.rows, "row", "rows"), counted(report.files, "file", "files"));
    say!("{rows} and {files} ({bytes}) were read{verdict}");
    if report.strays > 0 {
        let files = counted(report.strays, "file", "files");
        say!("{files} of unfinished uploads will be removed at the next start");
    }
}
