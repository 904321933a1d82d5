//! `import`

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde_json::json;

use super::admin::Place;
use super::output::{self, Format, say, tell};
use super::{Failure, environment, interrupt};
use crate::config::{self, Settings, Span};
use crate::domain::{Clock, SystemClock, counted};
use crate::moving::mongodb::{Import, Key, Unlock, import};
use crate::moving::{Error, Report, plain};
use crate::server;
use crate::store::backup::Target;

/// Arguments of `import`.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Args {
    #[command(flatten)]
    plain: Plain,
    #[command(subcommand)]
    from: Option<From>,
}

#[derive(clap::Args)]
struct Plain {
    /// The directory that export wrote
    #[arg(value_name = "DIR", required = true)]
    dir: Option<PathBuf>,
    /// Move what is in the data directory aside, to DIR.before-import-TIME
    #[arg(long)]
    replace: bool,
    /// Do everything except the last step, and say what that would be
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    place: Place,
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
    /// A file with the master key of the old server's secrets [default: the variable TESTFLINGER_SECRETS_MASTER_KEY]
    #[arg(long, value_name = "FILE")]
    master_key_file: Option<PathBuf>,
    /// What mongodump wrote of the key vault, when the dump itself does not have it
    #[arg(long, value_name = "DUMP")]
    key_vault: Option<PathBuf>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    place: Place,
}

/// Runs `import`.
pub(super) fn run(args: Args) -> Result<(), Failure> {
    match args.from {
        Some(From::Mongodb(args)) => mongodb(args),
        None => plain(args.plain),
    }
}

fn plain(args: Plain) -> Result<(), Failure> {
    let target = Target {
        dir: args.place.settings()?.storage.data_dir,
        replace: args.replace,
        dry_run: args.dry_run,
        new_signing_key: false,
        now: SystemClock.now(),
    };
    let dir = target.dir.clone();
    interrupt::catch()?;
    let what = plain::Import { from: args.dir.unwrap_or_default(), target };
    let imported = plain::import(&what)?;
    let put_aside = imported.put_aside.as_ref().map(|path| path.display().to_string());
    if args.format.json() {
        output::json(&json!({
            "data_dir": dir.display().to_string(),
            "dry_run": args.dry_run,
            "lines": imported.lines,
            "put_aside": put_aside,
            "secrets": imported.secrets,
        }))?;
    } else {
        output::lines(&imported.lines);
    }
    end(&dir, args.dry_run, put_aside);
    if !imported.secrets {
        tell!("the export has no secrets: give each client a new one with client-admin set-secret");
    }
    Ok(())
}

/// Says what became of the data directory.
fn end(dir: &Path, dry_run: bool, put_aside: Option<String>) {
    let dir = dir.display();
    if dry_run {
        tell!("{dir} would get this; it was built beside it, checked and removed again");
    } else {
        tell!("{dir} has this now; it was checked");
    }
    if let Some(path) = put_aside {
        tell!("the data that was there before is now {path}");
    }
}

/// What opens the old server's secrets, and the settings of the server here.
fn unlock(
    master_key: Option<&SecretString>,
    key_vault: Option<PathBuf>,
    place: Place,
) -> Result<(Option<Unlock>, Settings), Failure> {
    let Some(master_key) = master_key else {
        let help = "--key-vault is of no use without the master key: give --master-key-file";
        let settings = place.settings()?;
        return if key_vault.is_some() { Err(Failure::new(2, help)) } else { Ok((None, settings)) };
    };
    let master_key = Key::from_base64(master_key)
        .map_err(|why| Failure::new(2, format!("the master key cannot be used: {why}")))?;
    let settings = place.settings_with_keys()?;
    let own = settings.secrets.secrets_key_file.read()?;
    let seal =
        move |dir: &Path| server::sealing_key(dir, own.as_ref()).map_err(|error| error.to_string());
    Ok((Some(Unlock { master_key, key_vault, seal: Box::new(seal) }), settings))
}

fn mongodb(args: Mongodb) -> Result<(), Failure> {
    let now = SystemClock.now();
    let master_key = config::old_master_key(args.master_key_file, &environment())?;
    let (unlock, settings) = unlock(master_key.as_ref(), args.key_vault, args.place)?;
    let what = Import {
        dump: args.dump,
        database: args.database,
        since: args.since.map(|span| now.minus(span.0)),
        unlock,
        dir: settings.storage.data_dir,
        dry_run: args.dry_run,
        now,
    };
    interrupt::catch()?;
    let imported = import(&what)?;
    let put_aside = imported.put_aside.as_ref().map(|path| path.display().to_string());
    if args.format.json() {
        output::json(&json!({
            "data_dir": what.dir.display().to_string(),
            "dry_run": what.dry_run,
            "put_aside": put_aside,
            "report": imported.report,
        }))?;
    } else {
        print(&imported.report);
    }
    end(&what.dir, what.dry_run, put_aside);
    match imported.report.left_out() {
        0 => Ok(()),
        count => {
            let left_out = things_were_left_out(count);
            Err(Failure::new(1, format!("{left_out}; everything else is as the report says")))
        }
    }
}

pub(super) fn things_were_left_out(count: u64) -> String {
    counted(count, "thing was left out", "things were left out")
}

pub(super) fn print(report: &Report) {
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
            Error::Line { .. } => Self::new(5, message),
            Error::Read { .. } | Error::Not { .. } | Error::Key(_) => Self::new(1, message),
        }
    }
}
