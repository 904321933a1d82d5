//! No job is lost, given to two, or stuck: random interleavings of people, agents, accidents and power cuts.
//!
//! Each is a [`plan::Plan`], made from its number alone; [`world::World`] lives through it with the real use cases on the
//! real store, on a disk whose power can be cut; [`ledger::Ledger`] judges what comes out by what everybody was told.
//!
//! `TESTFLINGER_INTERLEAVINGS` says how many there are, `TESTFLINGER_SEED` the number of the first: CONTRIBUTING.md.

mod ledger;
mod people;
mod picture;
mod plan;
mod sabotage;
mod turns;
mod world;

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::support::disk::{Disk, FILES, next};
use ledger::Kind;
use plan::Plan;
use sabotage::Sabotage;
use world::{Counts, World};

/// How many plain `cargo test` runs.
const PLAIN: u64 = 2000;
/// A sabotage must be noticed within so many.
const WITHIN: u64 = 300;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// The bytes of a new database.
fn formatted(blobs: &Path) -> [Vec<u8>; FILES] {
    let mut world = World::new(blobs, Disk::default(), None);
    world.start().and_then(|_| world.enrol()).and_then(|()| world.stop()).unwrap();
    world.disk.bytes()
}

/// Lives through one plan on a disk of its own.
fn live(
    blobs: &Path,
    image: &[Vec<u8>; FILES],
    plan: &Plan,
    number: u64,
    sabotage: Option<Sabotage>,
) -> (Result<(), TestCaseError>, Counts) {
    let is_made = plan.blank.is_none();
    let disk = if is_made { Disk::with(image.clone()) } else { Disk::default() };
    match sabotage {
        Some(Sabotage::LyingDatabase) => disk.lie(0, number),
        Some(Sabotage::LyingJournal) => disk.lie(1, number),
        _ => {}
    }
    let mut world = World::new(blobs, disk, sabotage);
    world.is_made = is_made;
    let verdict = world.live(plan);
    let verdict = verdict.map_err(|violation| TestCaseError::fail(violation.to_string()));
    (verdict, world.counts)
}

/// Makes the plan with this number and lives through it; of one that fails, gives the shortest that still does.
fn interleave(
    blobs: &Path,
    image: &[Vec<u8>; FILES],
    number: u64,
    sabotage: Option<Sabotage>,
) -> Result<Counts, String> {
    let (mut seed, mut bytes) = (number, [0; 16]);
    for half in bytes.chunks_mut(8) {
        half.copy_from_slice(&next(&mut seed).to_le_bytes());
    }
    let shrink = if sabotage.is_some() { 0 } else { 3000 };
    let config = Config {
        cases: 1,
        failure_persistence: None,
        max_shrink_iters: shrink,
        ..Config::default()
    };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::XorShift, &bytes));
    let counts = Mutex::new(Counts::default());
    let run = |plan| {
        let (verdict, lived) = live(blobs, image, &plan, number, sabotage);
        *counts.lock().unwrap_or_else(PoisonError::into_inner) = lived;
        verdict
    };
    match runner.run(&plan::plan(), run) {
        Ok(()) => Ok(*counts.lock().unwrap_or_else(PoisonError::into_inner)),
        Err(TestError::Fail(reason, plan)) => Err(format!("{reason}\n{plan:?}")),
        Err(error) => Err(error.to_string()),
    }
}

/// Runs the interleavings from `first` on all cores, and stops at the first that fails.
fn run(
    first: u64,
    count: u64,
    sabotage: Option<Sabotage>,
    report: bool,
) -> Result<Counts, (u64, String)> {
    let (begun, taken) = (Instant::now(), AtomicU64::new(0));
    let done = Mutex::new((Counts::default(), None, Duration::from_secs(10)));
    let work = || {
        let dir = tempfile::tempdir().unwrap();
        let image = formatted(dir.path());
        loop {
            let number = first.wrapping_add(taken.fetch_add(1, Ordering::Relaxed));
            if number.wrapping_sub(first) >= count {
                return;
            }
            let outcome = interleave(dir.path(), &image, number, sabotage);
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            match outcome {
                Ok(lived) => done.0 += lived,
                Err(text) => {
                    taken.store(count, Ordering::Relaxed);
                    done.1.get_or_insert((number, text));
                }
            }
            if report && begun.elapsed() > done.2 {
                done.2 = begun.elapsed() + Duration::from_secs(10);
                say(begun, &done.0);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let (counts, failed, _) = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    if report {
        say(begun, &counts);
    }
    failed.map_or(Ok(counts), Err)
}

/// Past the test harness, which keeps what tests print until they end.
fn say(begun: Instant, counts: &Counts) {
    let seconds = begun.elapsed().as_secs_f64();
    let _ = writeln!(std::io::stderr(), "{seconds:.0} s: clean so far: {counts:?}");
}

#[test]
fn no_job_is_lost_given_to_two_or_stuck_whatever_happens() {
    let asked = variable("TESTFLINGER_INTERLEAVINGS");
    let first = variable("TESTFLINGER_SEED").unwrap_or(0);
    let count = asked.unwrap_or(PLAIN);
    match run(first, count, None, asked.is_some()) {
        Ok(counts) => assert_eq!(counts.interleavings, count),
        Err((number, text)) => {
            panic!("again with TESTFLINGER_SEED={number} TESTFLINGER_INTERLEAVINGS=1: {text}")
        }
    }
}

#[track_caller]
fn is_noticed(sabotage: Sabotage, expected: &[Kind]) {
    let (number, text) = run(0, WITHIN, Some(sabotage), false).unwrap_err();
    let as_expected = expected.iter().any(|kind| text.contains(&format!("{kind:?}: ")));
    assert!(as_expected, "interleaving {number}: {text}");
}

#[test]
fn a_server_that_gives_nothing_again_is_noticed() {
    is_noticed(Sabotage::NoRedelivery, &[Kind::Stuck]);
}

#[test]
fn a_server_that_looks_for_no_silent_agents_is_noticed() {
    is_noticed(Sabotage::NoWatch, &[Kind::Stuck]);
}

#[test]
fn a_journal_that_is_not_on_disk_when_it_says_so_is_noticed() {
    // Some of what it forgets makes it another journal than the database asks for.
    is_noticed(Sabotage::LyingJournal, &[Kind::Lost, Kind::Broken]);
}

#[test]
fn a_journal_that_begins_again_before_the_database_is_on_disk_is_noticed() {
    is_noticed(Sabotage::LyingDatabase, &[Kind::Lost, Kind::Broken]);
}

#[test]
fn a_server_that_gives_a_job_to_two_is_noticed() {
    is_noticed(Sabotage::GivenTwice, &[Kind::TwoOwners]);
}

#[test]
fn a_job_that_comes_back_in_another_place_is_noticed() {
    is_noticed(Sabotage::NewPlace, &[Kind::Disorder]);
}

#[test]
fn a_job_that_goes_to_the_agent_on_which_it_failed_is_noticed() {
    is_noticed(Sabotage::SameAgain, &[Kind::Retried]);
}

#[test]
fn a_job_that_is_tried_too_often_is_noticed() {
    is_noticed(Sabotage::OnceTooOften, &[Kind::Retried]);
}

#[test]
fn a_drained_server_that_hands_out_jobs_is_noticed() {
    is_noticed(Sabotage::LeakyDrain, &[Kind::Withheld]);
}

#[test]
fn an_agent_that_gets_jobs_although_it_is_set_aside_is_noticed() {
    is_noticed(Sabotage::LeakyAside, &[Kind::Withheld]);
}

#[test]
fn an_agent_that_is_set_aside_without_a_reason_is_noticed() {
    is_noticed(Sabotage::RashQuarantine, &[Kind::Quarantined]);
}
