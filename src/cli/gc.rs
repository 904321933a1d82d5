//! `gc`

use serde_json::Value;

use super::Failure;
use super::admin::{Admin, Missing, Place};
use super::output::{self, Format, say};
use super::progress::size;
use crate::domain::counted;

/// Arguments of `gc`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Say what would go and why, and remove nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    place: Place,
}

/// Runs `gc`.
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let mut admin = Admin::open_with_settings(args.place, Missing::Refuse)?;
    let done = if args.dry_run {
        admin.call("GET", "/admin/gc", None).and_then(|rows| list(&rows, args.format))
    } else {
        admin.call("POST", "/admin/gc", None).and_then(|done| report(&done, args.format))
    };
    admin.close().and(done)
}

fn read(text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text)
        .map_err(|error| Failure::new(1, format!("the server's answer is not JSON: {error}")))
}

fn list(rows: &str, format: Format) -> Result<(), Failure> {
    output::list(rows, format, &["kind", "name", "since", "bytes", "why"])?;
    if !format.json() {
        let rows = read(rows)?;
        let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
        let bytes = rows.iter().filter_map(|row| row["bytes"].as_u64()).sum();
        say!("{} would go, with {} of files", rows.len(), size(bytes));
    }
    Ok(())
}

fn report(done: &str, format: Format) -> Result<(), Failure> {
    if format.json() {
        say!("{}", done.trim_end());
        return Ok(());
    }
    let done = read(done)?;
    let number = |name: &str| done[name].as_u64().unwrap_or_default();
    say!("{} were old enough and are gone", number("removed"));
    if number("early") > 0 {
        let (one, several) = ("file went before its time", "files went before their time");
        say!("{}, to keep keep_free free", counted(number("early"), one, several));
    }
    say!("{} of files went", size(number("bytes")));
    if number("short") > 0 {
        say!(
            "{} are still missing to keep_free, and no file is left that may go",
            size(number("short"))
        );
    }
    Ok(())
}
