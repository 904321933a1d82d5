//! Counts and sizes that hardly depend on what else the machine does, each against its limit.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::drive::Worker;
use crate::pairs::Pair;
use crate::report::Outcome;
use crate::server::Server;
use crate::{Run, Target, held};

const PAIRS: usize = 1000;

pub(crate) async fn run(target: &Target, run: &Run) -> Outcome {
    let Target::Ours(binary) = target else { panic!("peers have no gates") };
    let mut notes = Vec::new();
    for (clients, limit, names) in [
        (1, 1.05, ["fdatasync per request, 1 client", "bytes written per pair, 1 client"]),
        (64, 0.12, ["fdatasync per request, 64 clients", "bytes written per pair, 64 clients"]),
    ] {
        let (syncs, bytes) = counted(binary, &run.below, clients).await;
        assert!(syncs <= limit, "{}: {syncs}, limit {limit}", names[0]);
        notes.push((names[0], syncs, ""));
        notes.push((names[1], bytes, "bytes"));
    }
    // A job that is lost or doubled ends the load.
    let span = Duration::from_secs(3);
    let few = Run { span, agents: 1000, repetitions: 1, below: run.below.clone() };
    let held = held::run(target, &few).await.notes;
    for (note, limit) in held.into_iter().zip([20_000.0, 32.0]) {
        assert!(note.1 <= limit, "{}: {} {}, limit {limit}", note.0, note.1, note.2);
        notes.push(note);
    }
    Outcome { rows: Vec::new(), notes }
}

/// fdatasync per request, and bytes written per pair, of a server that strace counts.
async fn counted(binary: &Path, below: &Path, clients: usize) -> (f64, f64) {
    let report = tempfile::NamedTempFile::new_in(below).unwrap();
    let path = report.path().to_str().unwrap();
    let calls = "trace=fdatasync,pwrite64";
    let server =
        Server::start(binary, &["strace", "-f", "-qq", "-o", path, "-e", calls], "25s", below);
    let lines = || std::fs::read_to_string(path).unwrap();
    let mut workers = tokio::task::JoinSet::new();
    let before = lines().len();
    let begun = Instant::now();
    for client in 0..clients {
        let mut pair = Pair::new(&server.addr, &format!("queue-{client}")).await;
        let share = PAIRS / clients;
        workers.spawn(async move {
            for _ in 0..share {
                pair.turn().await;
            }
        });
    }
    while let Some(outcome) = workers.join_next().await {
        outcome.unwrap();
    }
    eprintln!("{clients} clients, {PAIRS} pairs under strace: {:.1?}", begun.elapsed());
    let lines = lines().split_off(before);
    server.stop();
    // A call that another thread interrupts takes two lines; the second one begins differently.
    let calls = |name: &str| lines.lines().filter(|line| line.contains(name)).count();
    let written: f64 = lines
        .lines()
        .filter(|line| line.contains("pwrite64"))
        .filter_map(|line| line.rsplit(" = ").next()?.parse::<f64>().ok())
        .sum();
    let pairs = (PAIRS / clients * clients) as f64;
    (calls(" fdatasync(") as f64 / (2.0 * pairs), written / pairs)
}
