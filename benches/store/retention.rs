//! Retention on a store full of ended jobs: how long one batch keeps the writer, and what a submission beside it waits.

use std::time::{Duration, Instant};

use testflinger_server::domain::{Fragment, JobId, Log, LogKind, Phase, Timestamp};
use testflinger_server::ops;
use testflinger_server::store::{Ages, JobReads, Store, Where};

use crate::fixture::{Fixture, by, submission, submit};
use crate::load;
use crate::paired::quantile;

/// As the server does it.
const BATCH: usize = 64;
/// Lines of the one job that has many.
const LINES: i64 = 20_000;

/// Ends all jobs of a fixture and sweeps `batches` batches of them, each with a submission right behind it.
pub(crate) fn run(fixture: &Fixture, batches: usize) {
    let store = &fixture.store;
    end_all(store);
    println!("\n## Retention, {} ended jobs, batches of {BATCH}; load {}\n", fixture.jobs, load());
    println!("| what | p50 | p99 | longest, us |\n|---|---|---|---|");
    let alone: Vec<Duration> = (0..batches).map(|_| timed_submit(store)).collect();
    row("a submission alone", &alone);
    sweep_with_submissions(store, batches, "a batch");
    with_many_lines(store);
    sweep_with_submissions(store, batches, &format!("a batch of a job with {LINES} lines"));
}

fn sweep_with_submissions(store: &Store, batches: usize, what: &str) {
    let (mut within, mut behind, mut removed) = (Vec::new(), Vec::new(), 0);
    for _ in 0..batches {
        let (sender, outcome) = std::sync::mpsc::channel();
        store.submit(Where::Writer, sweep, move |swept| drop(sender.send(swept)));
        // The writer has the batch, and this waits behind it or shares its commit.
        behind.push(timed_submit(store));
        let (spent, count, more) = outcome.recv().unwrap().unwrap();
        within.push(spent);
        removed += count;
        if !more {
            break;
        }
    }
    row(&format!("{what}, within the writer"), &within);
    row("a submission right behind it", &behind);
    println!("| ({removed} things in {} batches) | | | |", within.len());
}

fn sweep(
    tx: &mut testflinger_server::store::WriteTx<'_>,
    now: Timestamp,
) -> Result<(Duration, usize, bool), ops::Error> {
    const NONE: Duration = Duration::ZERO;
    const LONG: Duration = Duration::from_hours(24 * 365);
    let ages =
        Ages { jobs: NONE, files: NONE, agents: LONG, queues: LONG, refresh: LONG, drain: LONG };
    let begin = Instant::now();
    let swept = tx.sweep(&ages, now, BATCH)?;
    Ok((begin.elapsed(), swept.removed, swept.more))
}

fn timed_submit(store: &Store) -> Duration {
    let begin = Instant::now();
    submit(store, submission("beside"));
    begin.elapsed()
}

fn end_all(store: &Store) {
    let mut after = 0;
    loop {
        let jobs = store.read().unwrap().jobs_after(after, 512).unwrap();
        let Some(last) = jobs.last() else { return };
        after = last.seq;
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
        store
            .write(move |tx, now| ids.iter().try_for_each(|id| ops::cancel(tx, now, *id, &by())))
            .unwrap();
        eprint!("\rending: {after} ");
    }
}

/// Ends a job with many lines, before all others.
fn with_many_lines(store: &Store) {
    let id = submit(store, submission("long"));
    for first in (0..LINES).step_by(1000) {
        store
            .write(move |tx, at| {
                for number in first..first + 1000 {
                    let text = "a line of a log that is about as long as lines are\n".to_owned();
                    let number = Some(number);
                    let fragment = Fragment { number, phase: Phase::Test, at, text };
                    tx.append_log(Log(id, LogKind::Output), &fragment, at)?;
                }
                Ok::<_, ops::Error>(())
            })
            .unwrap();
    }
    store
        .write(move |tx, _| {
            // Long ago, so that its turn comes first.
            ops::cancel(tx, Timestamp::from_micros(0), id, &by())
        })
        .unwrap();
}

fn row(what: &str, times: &[Duration]) {
    let at = |part| quantile(times, part);
    println!("| {what} | {:.0} | {:.0} | {:.0} |", at(0.5), at(0.99), at(1.0));
}
