//! `notice-admin`

use clap::Subcommand;
use serde_json::Value;

use super::Failure;
use super::admin::{Admin, Missing, Place, segment};
use super::output::{self, Format, say};

/// Arguments of `notice-admin`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List what was given up and what still waits to be sent
    List(Format),
    /// Send again what was given up
    Retry(Which),
    /// Forget what was given up, or by its number what still waits
    Drop(Which),
}

/// Which notices are meant.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// Their numbers
    numbers: Vec<u64>,
    /// All that were given up
    #[arg(long)]
    all: bool,
}

/// Runs `notice-admin`.
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let mut admin = Admin::open(args.place, Missing::Refuse)?;
    let done = command(&mut admin, args.command);
    admin.close().and(done)
}

fn command(admin: &mut Admin, command: Command) -> Result<(), Failure> {
    let (method, which, what) = match command {
        Command::List(format) => {
            let rows = admin.call("GET", "/admin/notices", None)?;
            let columns = ["number", "state", "kind", "url", "at", "tries", "next_at", "error"];
            return output::list(&rows, format, &columns);
        }
        Command::Retry(which) => ("POST", which, "is sent again"),
        Command::Drop(which) => ("DELETE", which, "is forgotten"),
    };
    let numbers = if which.all { dead(admin)? } else { which.numbers };
    for number in numbers {
        let path = format!("/admin/notices/{}", segment(&number.to_string()));
        let done = admin.call(method, &path, None);
        done.map_err(|failure| {
            Failure::new(failure.code, format!("{number}: {}", failure.message))
        })?;
        say!("{number} {what}");
    }
    Ok(())
}

/// The numbers of all that were given up.
fn dead(admin: &mut Admin) -> Result<Vec<u64>, Failure> {
    let text = admin.call("GET", "/admin/notices", None)?;
    let rows: Vec<Value> = serde_json::from_str(&text)
        .map_err(|error| Failure::new(1, format!("the server's answer is not a list: {error}")))?;
    let dead = rows.iter().filter(|row| row["state"] == "dead");
    Ok(dead.filter_map(|row| row["number"].as_u64()).collect())
}
