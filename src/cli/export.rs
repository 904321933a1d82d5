//! `export`

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use super::admin::Place;
use super::copy::Copy;
use super::import::{print, things_were_left_out};
use super::output::{self, Format, tell};
use super::progress::size;
use super::{Failure, INCOMPLETE, interrupt};
use crate::domain::{Clock, SystemClock, counted};
use crate::moving::plain::{self, Export};
use crate::moving::{Report, mongodb};
use crate::server;
use crate::store;

/// Arguments of `export`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The directory to write, which is not there yet or is empty
    #[arg(value_name = "DIR")]
    to: PathBuf,
    /// Write hashes of secrets, tokens, sealed secrets and keys, too: whoever reads them can act as anybody
    #[arg(long)]
    secrets: bool,
    /// Write what mongorestore takes, for the Python server, instead of plain files
    #[arg(long, conflicts_with_all = ["secrets", "dry_run"])]
    mongodb: bool,
    /// Read everything and write nothing, and say how much it would be
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    place: Place,
}

/// Runs `export`.
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let mut settings = args.place.settings()?;
    let data_dir = settings.storage.data_dir.clone();
    if !data_dir.join(store::DATABASE).exists() {
        return Err(store::Error::NoData(data_dir).into());
    }
    interrupt::catch()?;
    let copy = Copy::of(&data_dir)?;
    if let Some(copy) = &copy {
        copy.dir.clone_into(&mut settings.storage.data_dir);
    }
    let what = Export {
        dir: args.to,
        secrets: args.secrets,
        dry_run: args.dry_run,
        now: SystemClock.now(),
    };
    let store = server::open_store(&settings, Arc::new(SystemClock), Box::new(|_| {}))?;
    let close = || {
        store.close()?;
        if copy.is_none() { store::give_to_owner(&data_dir) } else { Ok(()) }
    };
    if args.mongodb {
        let report =
            mongodb::export(&store, &mongodb::Export { dir: what.dir.clone(), now: what.now });
        close()?;
        return dumped(&report?, &what, args.format);
    }
    let exported = plain::export(&store, &what);
    close()?;
    let exported = exported?;
    let dir = what.dir.display();
    if args.format.json() {
        output::json(&json!({
            "bytes": exported.bytes,
            "dir": dir.to_string(),
            "dry_run": what.dry_run,
            "lines": exported.lines,
            "missing": exported.missing,
            "secrets": what.secrets,
        }))?;
    } else {
        output::lines(&exported.lines);
    }
    let (bytes, with) = (size(exported.bytes), if what.secrets { "with" } else { "without" });
    if what.dry_run {
        tell!("{dir} would get {bytes}, {with} secrets; nothing was written");
    } else {
        tell!("{dir} has {bytes}, {with} secrets");
    }
    for missing in &exported.missing {
        tell!("missing: {missing}");
    }
    match exported.missing.len() {
        0 => Ok(()),
        count => {
            let files = counted(count as u64, "file is", "files are");
            Err(Failure::new(INCOMPLETE, format!("{files} gone; everything else is there")))
        }
    }
}

/// Says what is in a dump.
fn dumped(report: &Report, what: &Export, format: Format) -> Result<(), Failure> {
    let dir = what.dir.display();
    if format.json() {
        output::json(&json!({ "dir": dir.to_string(), "report": report }))?;
    } else {
        print(report);
    }
    tell!("{dir} has this now, for mongorestore");
    match report.left_out() {
        0 => Ok(()),
        count => Err(Failure::new(INCOMPLETE, things_were_left_out(count))),
    }
}
