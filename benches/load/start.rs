//! The program starts on data with many waiting jobs, after a clean stop and after it was killed just when it had written.

use rustix::process::Signal;

use crate::drive::{Pace, drive};
use crate::fill::{Then, fill};
use crate::histogram::Histogram;
use crate::pairs::Pair;
use crate::report::{Outcome, Row};
use crate::{Run, Target};

/// How often each is done.
const STARTS: usize = 5;
/// How many write until the program ends.
const WRITERS: usize = 8;

pub(crate) async fn run(target: &Target, run: &Run) -> Outcome {
    let mut server = run.start(target);
    fill(&server, run.jobs, Then::Wait).await;
    let ends = [("clean stop", Signal::TERM), ("kill", Signal::KILL)];
    let mut starts = ends.map(|_| Histogram::default());
    for _ in 0..STARTS {
        for ((_, signal), starts) in ends.iter().zip(&mut starts) {
            let mut writers = Vec::new();
            for number in 0..WRITERS {
                writers.push(Pair::new(&server.addr, &format!("queue-{number}")).await);
            }
            drive(writers, Pace::Closed, run.span).await;
            server = server.again(*signal);
            starts.record(server.started_in);
        }
    }
    let rows = ends.into_iter().zip(starts).map(|((end, _), took)| Row {
        name: format!("start after a {end}, {} jobs", run.jobs),
        rate: 1000.0 / took.quantile(0.5),
        took,
        processor: None,
    });
    Outcome { rows: rows.collect(), ..Outcome::default() }
}
