//! Many callers at once: what sharing a commit is worth, and loops under which system calls can be counted.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use testflinger_server::store::Store;

use crate::fixture::{Fixture, ask, claim, submission, submit};
use crate::load;

const CLIENTS: usize = 64;
const REPETITIONS: usize = 5;

/// Compares callers that share commits with callers that take turns: there, each request has a transaction of its own.
pub(crate) fn group_commit(fixture: &Fixture, pairs: usize) {
    let mut ratios = Vec::new();
    println!("\n## {CLIENTS} callers: shared commits against one commit per request\n");
    println!("| repetition | shared, pairs/s | one each, pairs/s | ratio | load average |");
    println!("|---|---|---|---|---|");
    for repetition in 1..=REPETITIONS {
        let shared = pairs as f64 / pairs_by(&fixture.store, CLIENTS, pairs, false).as_secs_f64();
        // A tenth of the pairs: these are slow.
        let few = pairs / 10;
        let alone = few as f64 / pairs_by(&fixture.store, CLIENTS, few, true).as_secs_f64();
        ratios.push(shared / alone);
        println!(
            "| {repetition} | {shared:.0} | {alone:.0} | {:.1} | {} |",
            shared / alone,
            load()
        );
    }
    ratios.sort_by(f64::total_cmp);
    println!("\nMedian ratio {:.1}.", ratios[REPETITIONS / 2]);
}

/// A loop whose system calls somebody else counts, e.g. `strace -f -c -e trace=fdatasync`.
pub(crate) fn for_counting(fixture: &Fixture, clients: usize, pairs: usize) {
    let spent = pairs_by(&fixture.store, clients, pairs, false);
    println!("{clients} clients: {} requests in {spent:.2?}", pairs * 2);
}

/// How long `clients` threads take for `pairs` submissions, each followed by a claim from the same queue.
fn pairs_by(store: &Arc<Store>, clients: usize, pairs: usize, one_by_one: bool) -> Duration {
    let turn = Mutex::new(());
    let alone = || one_by_one.then(|| turn.lock().unwrap_or_else(PoisonError::into_inner));
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for client in 0..clients {
            let share = pairs / clients + usize::from(client < pairs % clients);
            scope.spawn(move || {
                let queue = format!("client-{client}");
                for _ in 0..share {
                    let submission = submission(&queue);
                    let turn = alone();
                    submit(store, submission);
                    drop(turn);
                    let turn = alone();
                    claim(store, ask(&queue, None));
                    drop(turn);
                }
            });
        }
    });
    begin.elapsed()
}
