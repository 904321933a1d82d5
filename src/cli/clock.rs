//! `confirm-clock`

use super::Failure;
use super::admin::{Admin, Missing, Place};
use super::output::say;
use crate::domain::{Clock, SystemClock};

/// Arguments of `confirm-clock`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
}

/// Runs `confirm-clock`.
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let mut admin = Admin::open(args.place, Missing::Refuse)?;
    let done = admin.call("POST", "/admin/clock", None);
    admin.close().and(done)?;
    say!("{} is taken as the right time, so retention goes on", SystemClock.now());
    Ok(())
}
