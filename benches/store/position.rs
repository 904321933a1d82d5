//! What it costs to say how many jobs stand before one, A-B-C-A-B-C: behind none, behind some, behind many. And what it
//! costs to begin: the places of all waiting jobs are read when a store is opened.

use std::time::{Duration, Instant};

use testflinger_server::domain::JobId;
use testflinger_server::ops;
use testflinger_server::store::JobReads;

use crate::fixture::{Fixture, name, submission, submit};
use crate::paired::{quantile, ratio};

/// Questions that are measured together, because one is too short for the clock.
const TOGETHER: u32 = 20;

/// A job, and how many others of its queue stand before it.
struct Behind {
    depth: u64,
    queue: String,
    job: JobId,
    asked: Vec<Duration>,
    /// How long it takes to read the rows of those before it, which is what an answer would cost without the lines.
    walked: Vec<Duration>,
}

/// Measures jobs at these depths, the first of which is the one to compare with.
pub(crate) fn run(fixture: &mut Fixture, depths: &[u64], rounds: usize) {
    let mut jobs: Vec<Behind> = depths.iter().map(|depth| Behind::new(fixture, *depth)).collect();
    for round in 0..rounds {
        for turn in 0..depths.len() {
            jobs[(round + turn) % depths.len()].measure(fixture);
        }
    }
    println!("\n## The position of a job, {rounds} rounds, microseconds\n");
    println!("| behind | p50 / p99 | ratio | rows before it, p50 |\n|---|---|---|---|");
    for Behind { depth, asked, walked, .. } in &jobs {
        let [p50, p99] = [0.5, 0.99].map(|part| quantile(asked, part));
        let (ratio, walk) = (ratio(asked, &jobs[0].asked), quantile(walked, 0.5));
        println!("| {depth} | {p50:.1} / {p99:.1} | {ratio} | {walk:.1} |");
    }
}

/// Opens stores of several sizes again and again.
pub(crate) fn opening(fixtures: &mut [Fixture]) {
    const ROUNDS: usize = 9;
    let mut times = vec![Vec::new(); fixtures.len()];
    for _ in 0..ROUNDS {
        for (fixture, times) in fixtures.iter_mut().zip(&mut times) {
            times.push(fixture.reopen());
        }
    }
    println!("\n## Opening a store\n\n| waiting jobs | p50, milliseconds |\n|---|---|");
    for (fixture, times) in fixtures.iter().zip(&times) {
        println!("| {} | {:.1} |", fixture.jobs, quantile(times, 0.5) / 1000.0);
    }
}

impl Behind {
    fn new(fixture: &mut Fixture, depth: u64) -> Self {
        let queue = format!("behind-{depth}");
        fixture.fill(&queue, depth);
        let job = submit(&fixture.store, submission(&queue));
        Self { depth, queue, job, asked: Vec::new(), walked: Vec::new() }
    }

    fn measure(&mut self, fixture: &Fixture) {
        let begin = Instant::now();
        for _ in 0..TOGETHER {
            let tx = fixture.store.read().unwrap();
            let before = ops::position(&tx, &fixture.store.lines().unwrap(), self.job).unwrap();
            assert_eq!(before, self.depth);
        }
        self.asked.push(begin.elapsed() / TOGETHER);
        let (begin, queue) = (Instant::now(), name(&self.queue));
        let depth = usize::try_from(self.depth).unwrap();
        let rows = fixture.store.read().unwrap().first_waiting(&queue, depth).unwrap();
        self.walked.push(begin.elapsed());
        assert_eq!(rows.len(), depth);
    }
}
