//! `job-admin`

use clap::Subcommand;

use super::Failure;
use super::admin::{Admin, Missing, Place, segment};
use super::output::say;

/// Arguments of `job-admin`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Keep jobs with their results and files whatever their age
    Pin {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Let retention have jobs again
    Unpin {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

/// Runs `job-admin`.
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let mut admin = Admin::open(args.place, Missing::Refuse)?;
    let done = command(&mut admin, &args.command);
    admin.close().and(done)
}

fn command(admin: &mut Admin, command: &Command) -> Result<(), Failure> {
    let (method, ids, what) = match command {
        Command::Pin { ids } => ("PUT", ids, "is pinned"),
        Command::Unpin { ids } => ("DELETE", ids, "is no longer pinned"),
    };
    for id in ids {
        let pinned = admin.call(method, &format!("/v1/job/{}/pin", segment(id)), None);
        pinned
            .map_err(|failure| Failure::new(failure.code, format!("{id}: {}", failure.message)))?;
        say!("{id} {what}");
    }
    Ok(())
}
