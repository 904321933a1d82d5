//! Counts and sizes that do not depend on what else the machine does, each against its limit.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::drive::Worker;
use crate::pairs::Pair;
use crate::report::Outcome;
use crate::server::Server;
use crate::{Run, Target, held};

const PAIRS: usize = 1000;
/// With a disk that takes so long, requests of 64 clients meet on the busiest machine, too. On a fast disk it would depend
/// on the scheduler how many share a commit. Microseconds.
const SLOW_DISK: &str = "inject=fdatasync:delay_enter=50000";

/// Figures of a load with so many clients: their names and limits.
struct Gate {
    clients: usize,
    disk: Option<&'static str>,
    syncs: (&'static str, f64),
    bytes: (&'static str, f64),
}

const GATES: [Gate; 2] = [
    Gate {
        clients: 1,
        disk: None,
        syncs: ("fdatasync per request, 1 client", 1.1),
        bytes: ("journal bytes per pair, 1 client", 3_500.0),
    },
    Gate {
        clients: 64,
        disk: Some(SLOW_DISK),
        // Without shared commits it would be 1.
        syncs: ("fdatasync per request, 64 clients", 0.1),
        bytes: ("journal bytes per pair, 64 clients", 2_500.0),
    },
];

pub(crate) async fn run(target: &Target, run: &Run) -> Outcome {
    let Target::Ours(binary) = target else { panic!("peers have no gates") };
    let mut notes = Vec::new();
    let mut note = |(name, limit): (&'static str, f64), found: f64, unit: &'static str| {
        assert!(found <= limit, "{name}: {found} {unit}, limit {limit}");
        notes.push((name, found, unit));
    };
    for gate in &GATES {
        let (syncs, bytes) = counted(binary, &run.below, gate).await;
        note(gate.syncs, syncs, "");
        note(gate.bytes, bytes, "bytes");
    }
    // A job that is lost or doubled ends the load.
    let span = Duration::from_secs(3);
    let few = Run { span, agents: 1000, jobs: 0, repetitions: 1, below: run.below.clone() };
    let held = held::run(target, &few).await.notes;
    for ((name, found, unit), limit) in held.into_iter().zip([20_000.0, 32.0]) {
        note((name, limit), found, unit);
    }
    Outcome { rows: Vec::new(), notes }
}

/// fdatasync per request, and bytes of the journal's entries per pair, of a server that strace counts.
async fn counted(binary: &Path, below: &Path, gate: &Gate) -> (f64, f64) {
    let report = tempfile::NamedTempFile::new_in(below).unwrap();
    let path = report.path().to_str().unwrap();
    // With four bytes of what is written, which begins with the same ones in each entry.
    let mut wrapper = vec!["strace", "-f", "-qq", "-s", "4", "-o", path];
    wrapper.extend(["-e", "trace=fdatasync,pwrite64"]);
    wrapper.extend(gate.disk.into_iter().flat_map(|disk| ["-e", disk]));
    let server = Server::start(binary, &wrapper, &["--hold", "25s"], below);
    let lines = || std::fs::read_to_string(path).unwrap();
    let mut workers = tokio::task::JoinSet::new();
    let before = lines().len();
    let begun = Instant::now();
    let clients = gate.clients;
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
    let syncs = lines.lines().filter(|line| line.contains(" fdatasync(")).count();
    let written: f64 = lines
        .lines()
        .filter_map(|line| {
            line.split_once("\"TFJ1\"..., ")?.1.split(',').next()?.parse::<f64>().ok()
        })
        .sum();
    assert!(written > 0.0, "no entry was seen");
    let pairs = (PAIRS / clients * clients) as f64;
    (syncs as f64 / (2.0 * pairs), written / pairs)
}
