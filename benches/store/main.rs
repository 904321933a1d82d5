//! The store under load: submissions, claims and lists at 10 thousand, 100 thousand and a million waiting jobs.
//!
//! Everything goes through `ops` on a store that was opened on a real disk, so a submission or claim counts until it is
//! on disk. Absolute figures follow the disk and the machine's other work; only ratios within one run mean much.
//!
//! | variable | meaning |
//! |---|---|
//! | `TESTFLINGER_BENCH` | which parts run: some of `paired,opening,position,group-commit,groups` (all five, the default), `retention`, `sync-1`, `sync-64` |
//! | `TESTFLINGER_BENCH_JOBS` | how many jobs wait, default `10000,100000,1000000` |
//! | `TESTFLINGER_BENCH_ROUNDS` | how often each pair is measured, default 400 |
//! | `TESTFLINGER_BENCH_LIMIT` | `paired` fails when something costs more than so many times as much on the last store as on the first |
//! | `TESTFLINGER_BENCH_DIR` | where the stores are made and removed, default below the target directory |
//!
//! `docs/PERFORMANCE.md` has the figures and the commands.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on shall panic")]
#![expect(clippy::cast_precision_loss, reason = "figures are rounded when they are printed")]

mod concurrent;
mod fixture;
mod groups;
mod paired;
mod position;
mod retention;

use std::path::PathBuf;

/// The magic number that tells a file system in memory.
const TMPFS: i64 = 0x0102_1994;

fn main() {
    // `cargo test --benches` only asks whether it works.
    let real = std::env::args().any(|argument| argument == "--bench");
    let parts = setting("TESTFLINGER_BENCH", "paired,opening,position,group-commit,groups");
    let sizes =
        setting("TESTFLINGER_BENCH_JOBS", if real { "10000,100000,1000000" } else { "1000" });
    let sizes: Vec<usize> = sizes.split(',').map(|size| size.trim().parse().unwrap()).collect();
    let rounds = setting("TESTFLINGER_BENCH_ROUNDS", if real { "400" } else { "20" });
    let rounds: usize = rounds.parse().unwrap();
    let below = PathBuf::from(setting("TESTFLINGER_BENCH_DIR", env!("CARGO_TARGET_TMPDIR")));
    std::fs::create_dir_all(&below).unwrap();
    if rustix::fs::statfs(&below).unwrap().f_type == TMPFS {
        eprintln!("WARNING: {} is in memory, so no figure here says anything", below.display());
    }
    let parts: Vec<&str> = parts.split(',').map(str::trim).collect();
    let wanted = |part: &str| parts.contains(&part);

    if wanted("paired") || wanted("opening") || wanted("groups") {
        let fixture = |&jobs: &usize| fixture::Fixture::new(&below, jobs, rounds);
        let mut fixtures: Vec<_> = sizes.iter().map(fixture).collect();
        if wanted("paired") {
            let times = paired::run(&mut fixtures, rounds);
            if let Ok(limit) = std::env::var("TESTFLINGER_BENCH_LIMIT") {
                paired::judge(&times, limit.parse().unwrap());
            }
        }
        if wanted("opening") {
            position::opening(&mut fixtures);
        }
        if wanted("groups") {
            groups::run(&mut fixtures);
        }
    }
    if wanted("retention") {
        for &jobs in &sizes {
            retention::run(&fixture::Fixture::new(&below, jobs, 0), rounds);
        }
    }
    let fresh = || fixture::Fixture::new(&below, sizes[0], 0);
    if wanted("position") {
        let depths: &[u64] = if real { &[0, 1000, 100_000] } else { &[0, 1000] };
        position::run(&mut fresh(), depths, rounds);
    }
    if wanted("group-commit") {
        concurrent::group_commit(&fresh(), if real { 2000 } else { 200 });
    }
    for clients in [1, 64] {
        if wanted(&format!("sync-{clients}")) {
            concurrent::for_counting(&fresh(), clients, 2000);
        }
    }
}

fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

/// What else the machine does, for the record.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
