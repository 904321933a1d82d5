//! `queue-admin`

use clap::Subcommand;
use serde_json::json;

use super::Failure;
use super::admin::{Admin, Missing, Place, segment};
use super::output::{self, Format, say};

/// Arguments of `queue-admin`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List restricted queues and their owners
    List(Format),
    /// Restrict a queue to its owners, and add an owner
    Restrict {
        /// The queue
        queue: String,
        /// The client
        #[arg(long, value_name = "ID")]
        owner: String,
    },
    /// Remove one owner of a queue, or open the queue to everybody
    Unrestrict {
        /// The queue
        queue: String,
        /// The owner to remove [default: all of them]
        #[arg(long, value_name = "ID")]
        owner: Option<String>,
    },
    /// Set how often jobs of a queue go to another agent when their provisioning fails, or list what is set
    Retries {
        /// The queue [default: list all for which something is set]
        #[arg(requires = "times")]
        queue: Option<String>,
        /// How often, from 0 to 10, for jobs that do not say so themselves
        times: Option<u32>,
        #[command(flatten)]
        format: Format,
    },
}

/// The restriction of a queue in the API.
pub(super) fn public_path(queue: &str) -> String {
    format!("/v1/restricted-queues/{}", segment(queue))
}

/// Runs `queue-admin`.
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let mut admin = Admin::open(args.place, Missing::Refuse)?;
    let done = command(&mut admin, args.command);
    admin.close().and(done)
}

fn command(admin: &mut Admin, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(format) => {
            let rows = admin.call("GET", "/v1/restricted-queues", None)?;
            output::list(&rows, format, &["queue", "owners"])?;
        }
        Command::Restrict { queue, owner } => {
            admin.call("POST", &public_path(&queue), Some(&json!({ "client_id": owner })))?;
            say!("{queue} is restricted; {owner} may use it");
        }
        Command::Unrestrict { queue, owner: Some(owner) } => {
            let path = public_path(&queue);
            admin.call("DELETE", &path, Some(&json!({ "client_id": owner })))?;
            if admin.try_call("GET", &path, None)?.status == 404 {
                say!("{queue} is open to everybody, because nobody owns it any more");
            } else {
                say!("{owner} may no longer use {queue}");
            }
        }
        Command::Retries { queue: Some(queue), times: Some(times), .. } => {
            let path = format!("/admin/queues/{}", segment(&queue));
            admin.call("PUT", &path, Some(&json!({ "retries": times })))?;
            say!("{queue}: {times} retries");
        }
        Command::Retries { format, .. } => {
            let rows = admin.call("GET", "/admin/queues", None)?;
            output::list(&rows, format, &["queue", "retries"])?;
        }
        Command::Unrestrict { queue, owner: None } => {
            let path = format!("/admin/restricted-queues/{}", segment(&queue));
            admin.call("DELETE", &path, None)?;
            say!("{queue} is open to everybody");
        }
    }
    Ok(())
}
