//! `check`

use serde_json::json;

use super::Failure;
use super::admin::Place;
use super::output::{self, Format, say};
use super::progress::{Bar, size};
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
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    place: Place,
}

/// Runs `check`.
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let dir = args.place.settings()?.storage.data_dir;
    let options = Options { repair: args.repair, hash: !args.quick };
    let report = {
        let mut bar = Bar::new(&[]);
        check::check(&dir, options, &mut |bytes| bar.more(bytes))?
    };
    if args.format.json() {
        output::json(&as_json(&report))?;
    } else {
        print(&report);
    }
    if report.problems.is_empty() {
        return Ok(());
    }
    let count = report.problems.len() as u64 + report.more;
    let help = if args.repair {
        "these cannot be repaired: restore a backup"
    } else {
        "try --repair, or restore a backup"
    };
    Err(Failure::new(5, format!("{}: {count} problems; {help}", dir.display())))
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
    say!("{} rows and {} files ({bytes}) were read", report.rows, report.files);
    if report.strays > 0 {
        say!("{} files of unfinished uploads will be removed at the next start", report.strays);
    }
}

fn as_json(report: &Report) -> serde_json::Value {
    json!({
        "rows": report.rows,
        "files": report.files,
        "bytes": report.bytes,
        "strays": report.strays,
        "repaired": report.repaired,
        "problems": report.problems,
        "more_problems": report.more,
    })
}
