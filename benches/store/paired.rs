//! The same operation on all stores in turn, A-B-C-A-B-C, so that the machine's other work hits all of them alike.

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use testflinger_server::domain::{AgentName, Clock, SystemClock};
use testflinger_server::ops::{self, Cursor, Hearing, JobFilter, Search};
use testflinger_server::store::{JobReads, Where};

use crate::fixture::{
    AGENTS, COMMON, Fixture, LISTED, PLAIN, QUEUES, RARE, SHUNNED, SHUNNED_JOBS, ask, by, claim,
    name,
};
use crate::load;

/// Submissions, and claims, that share one transaction.
const TOGETHER: u32 = 64;
/// The rounds are cut into this many blocks, each with a ratio of its own.
const BLOCKS: usize = 10;

const SUBMIT: usize = 0;
const CLAIM: usize = 1;
const WITHIN: usize = 2;
const PAIRS: usize = 3;
const PLAIN_CLAIM: usize = 4;
const SHUNNED_CLAIM: usize = 5;
const LIST: usize = 6;
const COMMON_TAG: usize = 7;
const RARE_TAG: usize = 8;
const PEEK: usize = 9;
const STATUS: usize = 10;
const STREAM: usize = 11;
const AGENTS_PAGE: usize = 12;
const JOBS_PAGE: usize = 13;
const ROWS: [&str; 14] = [
    "durable submit",
    "durable claim",
    "claim before commit",
    "64 submit+claim pairs in one transaction, per pair",
    "durable claim, deep queue",
    "durable claim, excluded from the first 1,000 jobs",
    "list a queue (100 jobs)",
    "search by common tag (100 jobs)",
    "search by rare tag (100 jobs)",
    "look of a poll that skips 1,000 jobs, no write",
    "status of a job that waits",
    "start of a stream of a job",
    "a page of 100 of 10,000 agents",
    "the newest 50 jobs",
];

/// What was measured of one row on one store, round by round.
pub(crate) type Times = Vec<Duration>;

pub(crate) fn run(fixtures: &mut [Fixture], rounds: usize) -> Vec<Vec<Times>> {
    let mut times = vec![vec![Times::new(); fixtures.len()]; ROWS.len()];
    let before = load();
    for round in 0..rounds {
        for operation in OPERATIONS {
            for turn in 0..fixtures.len() {
                let store = (round + turn) % fixtures.len();
                for (row, spent) in operation(&mut fixtures[store]) {
                    times[row][store].push(spent);
                }
            }
        }
        eprint!("\rpaired: round {} of {rounds} ", round + 1);
    }
    eprintln!();
    print(fixtures, &times, rounds, &before);
    times
}

/// Fails when anything but the pairs, which touch more pages in a larger store, costs more than `limit` times as much on the
/// last store as on the first.
pub(crate) fn judge(times: &[Vec<Times>], limit: f64) {
    let rows = ROWS.iter().zip(times).enumerate().filter(|(row, _)| *row != PAIRS);
    for (_, (name, row)) in rows {
        let ratios = ratios(&row[row.len() - 1], &row[0]);
        let median = ratios[ratios.len() / 2];
        assert!(
            median <= limit,
            "{name}: {median:.2} times as much on the largest store as on the smallest, limit {limit}; is something read \
             without an index?"
        );
    }
}

/// Measures one operation; several rows when it has several parts.
type Operation = fn(&mut Fixture) -> Vec<(usize, Duration)>;

const OPERATIONS: [Operation; 12] = [
    |fixture| vec![(SUBMIT, fixture.submit())],
    |fixture| {
        let (whole, within) = fixture.claim();
        vec![(CLAIM, whole), (WITHIN, within)]
    },
    |fixture| vec![(PAIRS, pairs_together(fixture) / TOGETHER)],
    |fixture| {
        let ask = ask(PLAIN, None);
        let begin = Instant::now();
        claim(&fixture.store, ask);
        vec![(PLAIN_CLAIM, begin.elapsed())]
    },
    |fixture| {
        let ask = ask(SHUNNED, Some(SHUNNED));
        let begin = Instant::now();
        let (claimed, _) = claim(&fixture.store, ask);
        let spent = begin.elapsed();
        assert!(claimed.job.exclude_agents.is_empty());
        // An agent that has an unacknowledged job would get the same one again.
        let id = claimed.job.id;
        fixture.store.write(move |tx, now| ops::cancel(tx, now, id, &by())).unwrap();
        vec![(SHUNNED_CLAIM, spent)]
    },
    |fixture| {
        let queue = name(LISTED);
        let begin = Instant::now();
        let tx = fixture.store.read().unwrap();
        let rows = tx.queue_jobs_after(&queue, 0, 100).unwrap();
        let jobs: Vec<_> = rows.iter().map(|row| tx.job(row.id).unwrap().unwrap()).collect();
        let spent = begin.elapsed();
        assert_eq!(jobs.len(), 100);
        vec![(LIST, spent)]
    },
    |fixture| vec![(COMMON_TAG, search(fixture, COMMON)), (RARE_TAG, search(fixture, RARE))],
    |fixture| {
        let ask = ask(SHUNNED, Some(SHUNNED));
        // A poll looks at a snapshot first; most find nothing there and end.
        let begin = Instant::now();
        let found = fixture.store.read().unwrap().first_claimable(&ask).unwrap();
        let spent = begin.elapsed();
        std::hint::black_box(found);
        vec![(PEEK, spent)]
    },
    |fixture| {
        let hearing =
            Hearing { heard: |_: &AgentName| SystemClock.now(), silence: Duration::from_mins(2) };
        let (id, now) = (fixture.waiting(), SystemClock.now());
        let begin = Instant::now();
        let tx = fixture.store.read().unwrap();
        let status =
            ops::job_status(&tx, &fixture.store.lines().unwrap(), id, now, &hearing).unwrap();
        let spent = begin.elapsed();
        assert_eq!(status.waiting.unwrap().counts.free, AGENTS);
        vec![(STATUS, spent)]
    },
    |fixture| {
        let id = fixture.waiting();
        let begin = Instant::now();
        let tx = fixture.store.read().unwrap();
        let followed = ops::follow(&tx, id, Cursor::default()).unwrap();
        let spent = begin.elapsed();
        assert_eq!(followed.changes.len(), 1);
        vec![(STREAM, spent)]
    },
    |fixture| {
        let after = fixture.somewhere(QUEUES * AGENTS - 200);
        let begin = Instant::now();
        let tx = fixture.store.read().unwrap();
        let first = ops::agents(&tx, None, 1).unwrap().items[0].agent.seq;
        let agents = ops::agents(&tx, Some(first + after), 100).unwrap().items;
        let spent = begin.elapsed();
        assert_eq!(agents.len(), 100);
        vec![(AGENTS_PAGE, spent)]
    },
    |fixture| {
        let begin = Instant::now();
        let tx = fixture.store.read().unwrap();
        let jobs = JobFilter::default().page(&tx, None, 50).unwrap().items;
        let spent = begin.elapsed();
        assert_eq!(jobs.len(), 50);
        vec![(JOBS_PAGE, spent)]
    },
];

fn search(fixture: &Fixture, tag: &str) -> Duration {
    let search = Search { tags: vec![name(tag)], ..Search::default() };
    let begin = Instant::now();
    let jobs = search.page(&fixture.store.read().unwrap(), None, 100).unwrap().items;
    let spent = begin.elapsed();
    assert_eq!(jobs.len(), 100);
    spent
}

/// Puts all operations into the writer's queue while it is held up, so that it must take them as one batch.
fn pairs_together(fixture: &mut Fixture) -> Duration {
    let store = fixture.store.clone();
    let (held, is_held) = channel();
    let (release, released) = channel::<()>();
    let reply = |_: Result<(), ops::Error>| {};
    store.submit(
        Where::Writer,
        move |_, _| {
            held.send(()).unwrap();
            released.recv().unwrap();
            Ok(())
        },
        reply,
    );
    is_held.recv().unwrap();
    let (sender, replies) = channel();
    for _ in 0..TOGETHER {
        let (submission, ask) = (fixture.next_submission(), fixture.next_ask());
        let (submitted, claimed) = (sender.clone(), sender.clone());
        store.submit(
            Where::Writer,
            move |tx, now| ops::submit(tx, now, &submission, &by()).map(drop),
            move |outcome| submitted.send(outcome).unwrap(),
        );
        store.submit(
            Where::Writer,
            move |tx, now| ops::claim(tx, now, &ask, &by()).map(|claimed| drop(claimed.unwrap())),
            move |outcome| claimed.send(outcome).unwrap(),
        );
    }
    drop(sender);
    let begin = Instant::now();
    release.send(()).unwrap();
    wait_for_all(&replies);
    begin.elapsed()
}

fn wait_for_all(replies: &Receiver<Result<(), ops::Error>>) {
    for outcome in replies {
        outcome.unwrap();
    }
}

fn print(fixtures: &[Fixture], times: &[Vec<Times>], rounds: usize, before: &str) {
    println!("\n## Paired, {rounds} rounds; load average {before} before, {} after\n", load());
    println!(
        "p50 / p99 in microseconds. Ratios are medians over {BLOCKS} blocks (lowest to highest).\n"
    );
    let last = fixtures.len() - 1;
    print!("| |");
    for fixture in fixtures {
        print!(" {} |", fixture.jobs);
    }
    for fixture in &fixtures[..last] {
        print!(" {} / {} |", fixtures[last].jobs, fixture.jobs);
    }
    println!("\n|{}", "---|".repeat(1 + fixtures.len() + last));
    for (name, row) in ROWS.iter().zip(times) {
        print!("| {name} |");
        for times in row {
            print!(" {:.0} / {:.0} |", quantile(times, 0.5), quantile(times, 0.99));
        }
        for smaller in &row[..last] {
            print!(" {} |", ratio(&row[last], smaller));
        }
        println!();
    }
    println!("\n| excluded from the first {SHUNNED_JOBS} jobs / deep queue | ratio |\n|---|---|");
    for (store, fixture) in fixtures.iter().enumerate() {
        let ratio = ratio(&times[SHUNNED_CLAIM][store], &times[PLAIN_CLAIM][store]);
        println!("| {} | {ratio} |", fixture.jobs);
    }
}

/// A quantile in microseconds.
pub(crate) fn quantile(times: &[Duration], part: f64) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    #[expect(
        clippy::cast_sign_loss,
        clippy::cast_possible_truncation,
        reason = "from 0 to the length"
    )]
    let at = ((sorted.len() - 1) as f64 * part).round() as usize;
    sorted[at].as_secs_f64() * 1e6
}

/// The ratio of the p50 of both in each block: its median, lowest and highest.
pub(crate) fn ratio(above: &[Duration], below: &[Duration]) -> String {
    let ratios = ratios(above, below);
    format!(
        "**{:.2}** ({:.2}-{:.2})",
        ratios[ratios.len() / 2],
        ratios[0],
        ratios[ratios.len() - 1]
    )
}

fn ratios(above: &[Duration], below: &[Duration]) -> Vec<f64> {
    let size = (above.len() / BLOCKS).max(1);
    let blocks = above.chunks_exact(size).zip(below.chunks_exact(size));
    let mut ratios: Vec<f64> =
        blocks.map(|(above, below)| quantile(above, 0.5) / quantile(below, 0.5)).collect();
    ratios.sort_by(f64::total_cmp);
    ratios
}
