//! `drain` and `resume`

use std::time::Duration;

use serde::Deserialize;

use super::Failure;
use super::admin::{Admin, Missing, Place};
use super::output::{say, tell};

/// How often `drain --wait` looks.
const PAUSE: Duration = Duration::from_secs(1);

/// Arguments of `drain`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    /// Wait until no job runs
    #[arg(long)]
    wait: bool,
}

/// Arguments of `resume`.
#[derive(clap::Args)]
pub(super) struct Resume {
    #[command(flatten)]
    place: Place,
}

#[derive(Deserialize)]
struct Drained {
    running: u64,
}

/// Runs `drain`.
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let mut admin = Admin::open(args.place, Missing::Refuse)?;
    let done = drain(&mut admin, args.wait);
    admin.close().and(done)
}

fn drain(admin: &mut Admin, wait: bool) -> Result<(), Failure> {
    let mut running = ask(admin, "PUT")?;
    say!("no job is handed out until testflinger-server resume");
    let waits = wait && admin.is_running();
    if wait && !waits {
        tell!("no server is running, so nothing would change while waiting");
    }
    say!("{}", told(running));
    while waits && running > 0 {
        std::thread::sleep(PAUSE);
        let before = running;
        running = ask(admin, "GET")?;
        if running != before {
            say!("{}", told(running));
        }
    }
    Ok(())
}

/// Asks about the drain and gives the number of jobs that run.
fn ask(admin: &mut Admin, method: &str) -> Result<u64, Failure> {
    let answer = admin.call(method, "/admin/drain", None)?;
    let drained: Drained = serde_json::from_str(&answer)
        .map_err(|error| Failure::new(1, format!("the server's answer is wrong: {error}")))?;
    Ok(drained.running)
}

fn told(running: u64) -> String {
    match running {
        0 => "nothing runs".to_owned(),
        1 => "1 job runs".to_owned(),
        _ => format!("{running} jobs run"),
    }
}

/// Runs `resume`.
pub(super) fn resume(args: Resume) -> Result<(), Failure> {
    let mut admin = Admin::open(args.place, Missing::Refuse)?;
    let done = ask(&mut admin, "DELETE");
    admin.close().and(done)?;
    say!("jobs are handed out again");
    Ok(())
}
