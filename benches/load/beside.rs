//! Pairs while the server does something large: backups, or the removal of jobs that ended long ago.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::Handle;

use crate::drive::{Pace, drive};
use crate::fill::{Then, fill};
use crate::pairs::Pair;
use crate::report::{Outcome, Row};
use crate::server::Server;
use crate::{Run, Target};

/// What is done meanwhile, as an admin command.
const TASKS: [(&str, &[&str]); 3] =
    [("alone", &[]), ("a backup", &["backup", "-"]), ("a sweep", &["gc"])];

pub(crate) async fn run(target: &Target, run: &Run) -> Outcome {
    let mut outcome = Outcome::default();
    for (clients, against) in [
        (8, ["p99 with a backup / alone, 8 clients", "p99 with a sweep / alone, 8 clients"]),
        (64, ["p99 with a backup / alone, 64 clients", "p99 with a sweep / alone, 64 clients"]),
    ] {
        let rows = with_clients(target, run, clients).await;
        let p99 = |row: &Row| row.took.quantile(0.99);
        for (what, row) in against.into_iter().zip(&rows[1..]) {
            outcome.notes.push((what, p99(row) / p99(&rows[0]), "times"));
        }
        outcome.rows.extend(rows);
    }
    outcome
}

async fn with_clients(target: &Target, run: &Run, clients: usize) -> Vec<Row> {
    // The server itself sweeps when it starts and a minute later, so nothing goes before it is asked for.
    let server = run.start_with(target, &["--keep-jobs", "1s"]);
    fill(&server, run.jobs, Then::Wait).await;
    fill(&server, run.jobs, Then::End).await;
    let mut rows = Vec::new();
    for (what, words) in TASKS {
        let mut workers = Vec::new();
        for client in 0..clients {
            workers.push(Pair::new(&server.addr, &format!("queue-{}", client % 8)).await);
        }
        let pairs = drive(workers, Pace::Closed, run.span);
        let is_over = AtomicBool::new(false);
        let row = run.row(format!("pairs, {clients} clients, {what}"), &server, pairs);
        let meanwhile = || {
            std::thread::scope(|scope| {
                scope.spawn(|| repeat(&server, words, &is_over));
                let row = Handle::current().block_on(row);
                is_over.store(true, Ordering::Relaxed);
                row
            })
        };
        rows.push(tokio::task::block_in_place(meanwhile));
    }
    rows
}

/// Runs a command again and again until the load is over, with the priority of the units for systemd.
fn repeat(server: &Server, words: &[&str], is_over: &AtomicBool) {
    let plain = server.command(words);
    let mut nice = Command::new("nice");
    nice.args(["-n", "10"]).arg(plain.get_program()).args(plain.get_args()).stdout(Stdio::null());
    while !words.is_empty() && !is_over.load(Ordering::Relaxed) {
        assert!(nice.status().unwrap().success(), "{words:?} failed");
    }
}
