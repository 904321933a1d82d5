//! `status`

use std::time::Duration;

use serde_json::Value;

use super::admin::{Admin, Place};
use super::output::{self, Format, cell, say};
use super::progress::{size, span};
use super::{Failure, NOT_RUNNING};
use crate::domain::counted;

/// Arguments of `status`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    place: Place,
}

/// Runs `status`.
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let settings = args.place.settings()?;
    let Some(mut admin) = Admin::of_running(&settings)? else {
        let dir = settings.storage.data_dir.display();
        return Err(Failure::new(NOT_RUNNING, format!("no server is running on {dir}")));
    };
    let answer = admin.call("GET", "/admin/status", None);
    let answer = admin.close().and(answer)?;
    let status: Value = serde_json::from_str(&answer)
        .map_err(|error| Failure::new(1, format!("the server's answer is not JSON: {error}")))?;
    if args.format.json() {
        output::json(&status)?;
    } else {
        print(&status, args.format)?;
    }
    match status["warnings"].as_array().map_or(0, Vec::len) {
        0 => Ok(()),
        1 => Err(Failure::new(1, "one thing needs a person")),
        count => Err(Failure::new(1, format!("{count} things need a person"))),
    }
}

fn print(status: &Value, format: Format) -> Result<(), Failure> {
    let (bytes, agents, jobs) = (&status["bytes"], &status["agents"], &status["jobs"]);
    let held = status["held_requests"].as_u64().unwrap_or_default();
    let up = Duration::from_secs(status["uptime_seconds"].as_u64().unwrap_or_default());
    say!("server    {}, up for {}", cell(&status["version"]), span(up));
    say!(
        "disk      {} database, {} artifacts and attachments, {} free of which {} are in reserve",
        sized(&bytes["database"]),
        sized(&bytes["blobs"]),
        sized(&bytes["free"]),
        sized(&bytes["reserve"])
    );
    say!(
        "agents    {} busy, {} idle, {} offline, {} silent; {} held",
        agents["busy"],
        agents["idle"],
        agents["offline"],
        agents["silent"],
        counted(held, "request is", "requests are")
    );
    say!(
        "jobs      {} waiting, {} running, {} of a silent agent, {} without their attachments",
        jobs["waiting"],
        jobs["running"],
        jobs["suspect"],
        jobs["awaiting_attachments"]
    );
    let oldest = &status["oldest_waiting"];
    if !oldest.is_null() {
        say!(
            "oldest    job {} in queue {} waits since {}",
            cell(&oldest["job_id"]),
            cell(&oldest["job_queue"]),
            cell(&oldest["submitted_at"])
        );
    }
    for backup in status["backups"].as_array().into_iter().flatten() {
        let proved = if backup["verified"] == true { "verified" } else { "sent, not verified" };
        let (at, to) = (cell(&backup["at"]), cell(&backup["to"]));
        say!("backup    {at}, {}, {proved}: {to}", sized(&backup["bytes"]));
    }
    if status["queues"].as_array().is_some_and(|queues| !queues.is_empty()) {
        say!("");
        let columns = ["name", "waiting", "running", "agents", "idle", "offline"];
        output::list(&status["queues"].to_string(), format, &columns)?;
        say!("");
    }
    for warning in status["warnings"].as_array().into_iter().flatten() {
        say!("warning: {}", cell(warning));
    }
    Ok(())
}

fn sized(bytes: &Value) -> String {
    size(bytes.as_u64().unwrap_or_default())
}
