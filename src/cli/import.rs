//! `import`

use std::path::PathBuf;

use serde_json::json;

use super::admin::Place;
use super::output::{self, Format, say, tell};
use super::{Failure, interrupt};
use crate::config::Span;
use crate::domain::{Clock, SystemClock};
use crate::moving::mongodb::{Import, import};
use crate::moving::{Error, Report};

/// Arguments of `import`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    from: From,
}

#[derive(clap::Subcommand)]
enum From {
    /// Everything that a Testflinger server on MongoDB has, from what mongodump wrote
    Mongodb(Mongodb),
}

#[derive(clap::Args)]
struct Mongodb {
    /// What mongodump wrote: a directory, or a file that --archive wrote, compressed or not
    #[arg(value_name = "DUMP")]
    dump: PathBuf,
    /// Do everything except the last step, and say what that would be
    #[arg(long)]
    dry_run: bool,
    /// Leave out finished jobs that were submitted longer ago than this, such as 2d
    #[arg(long, value_name = "SPAN")]
    since: Option<Span>,
    /// The database, when the dump has several that look like a Testflinger server's
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    place: Place,
}

/// Runs `import`.
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let From::Mongodb(args) = args.from;
    let now = SystemClock.now();
    let what = Import {
        dump: args.dump,
        database: args.database,
        since: args.since.map(|span| now.minus(span.0)),
        dir: args.place.settings()?.storage.data_dir,
        dry_run: args.dry_run,
        now,
    };
    interrupt::catch()?;
    let imported = import(&what)?;
    let dir = what.dir.display();
    let put_aside = imported.put_aside.as_ref().map(|path| path.display().to_string());
    if args.format.json() {
        output::json(&json!({
            "data_dir": dir.to_string(),
            "dry_run": what.dry_run,
            "put_aside": put_aside,
            "report": imported.report,
        }))?;
    } else {
        print(&imported.report);
    }
    if what.dry_run {
        tell!("{dir} would get this; it was built beside it, checked and removed again");
    } else {
        tell!("{dir} has this now; it was checked");
    }
    if let Some(path) = put_aside {
        tell!("the data that was there before is now {path}");
    }
    match imported.report.left_out() {
        0 => Ok(()),
        1 => Err(Failure::new(1, "1 thing was left out; everything else is as the report says")),
        count => {
            let message =
                format!("{count} things were left out; everything else is as the report says");
            Err(Failure::new(1, message))
        }
    }
}

fn print(report: &Report) {
    let mut table =
        output::table(&["collection", "taken", "changed", "kept", "skipped", "left out"]);
    for (name, counts) in &report.collections {
        let counts = [counts.taken, counts.changed, counts.kept, counts.skipped, counts.left_out];
        let cells = counts.iter().map(ToString::to_string);
        table.add_row(std::iter::once(name.clone()).chain(cells));
    }
    say!("{}", table.trim_fmt());
    for line in &report.lines {
        let id = if line.id.is_empty() { String::new() } else { format!(" {}", line.id) };
        say!("{}{id}: {}: {}", line.collection, line.outcome.as_str(), line.reason);
    }
    if report.more_lines > 0 {
        say!("and {} more", report.more_lines);
    }
}

impl std::convert::From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Build(error) => error.into(),
            Error::Read { .. } | Error::Not { .. } => Self::new(1, message),
        }
    }
}
