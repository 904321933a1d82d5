//! A large lab of the demo's simulator: agents of both generations and their users.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use testflinger_server::demo::simulator::{Book, Caller, Crew, Told};

use crate::histogram::Histogram;
use crate::report::{Outcome, Row};
use crate::{Run, Target};

const AGENTS: usize = 400;
const PEOPLE: usize = 60;
/// The lab runs about forty times as fast as the demo.
const PACE: Duration = Duration::from_millis(100);
/// Until every agent has registered.
const MORNING: Duration = Duration::from_secs(2);
/// Whoever has not seen the end of a job by then waits for ever.
const PATIENCE: Duration = Duration::from_mins(2);

/// What everybody notes.
#[derive(Default)]
struct Notes {
    took: Mutex<BTreeMap<String, Histogram>>,
    /// How often each job was submitted, delivered and seen to its end.
    jobs: Mutex<HashMap<String, [usize; 3]>>,
    refused: Mutex<Vec<String>>,
}

impl Book for Notes {
    fn answered(&self, kind: &str, took: Duration) {
        // A request for a job is held, which is not a time to note.
        if kind != "GET /v1/job" {
            self.took.lock().unwrap().entry(kind.to_owned()).or_default().record(took);
        }
    }

    fn note(&self, told: Told<'_>) {
        let (job, what) = match told {
            Told::Submitted { job } => (job, 0),
            Told::Claimed { job, .. } => (job, 1),
            Told::Seen { job } => (job, 2),
            _ => return,
        };
        self.jobs.lock().unwrap().entry(job.to_owned()).or_default()[what] += 1;
    }

    fn refused(&self, error: &testflinger_server::demo::Error) {
        self.refused.lock().unwrap().push(error.to_string());
    }
}

pub(crate) async fn run(target: &Target, run: &Run) -> Outcome {
    let server = run.start_with(target, &["--hold", "2s"]);
    let notes = Arc::new(Notes::default());
    let caller = Caller::new(&format!("http://{}", server.addr), Arc::clone(&notes) as _);
    let (closing, stop) = (Arc::default(), Arc::default());
    let lab = Crew { agents: 0..AGENTS, of: AGENTS, people: 0..0, pace: PACE };
    let agents = lab.start(&caller, &closing, &stop);
    tokio::time::sleep(MORNING).await;
    notes.took.lock().unwrap().clear();
    let (before, begun) = (server.processor(), Instant::now());
    let people = Crew { agents: 0..0, people: 0..PEOPLE, ..lab }.start(&caller, &closing, &stop);
    tokio::time::sleep(run.span).await;
    closing.store(true, Ordering::Relaxed);
    while !people.iter().all(std::thread::JoinHandle::is_finished) {
        assert!(begun.elapsed() < run.span + PATIENCE, "jobs are stuck");
        tokio::time::sleep(PACE).await;
    }
    let (span, spent) = (begun.elapsed().as_secs_f64(), server.processor() - before);
    finish(&stop, agents);

    assert!(notes.refused.lock().unwrap().is_empty(), "{:?}", notes.refused.lock().unwrap());
    let jobs = notes.jobs.lock().unwrap();
    for (id, counts) in jobs.iter() {
        assert_eq!(*counts, [1; 3], "job {id} was not submitted, delivered and ended exactly once");
    }
    let rows = std::mem::take(&mut *notes.took.lock().unwrap()).into_iter();
    let rows = rows.map(|(name, took)| {
        let rate = took.count() as f64 / span;
        Row { name, rate, took, processor: None }
    });
    Outcome {
        rows: rows.collect(),
        notes: vec![
            ("jobs that ended, none lost, none doubled", jobs.len() as f64, ""),
            ("processor", spent / span * 100.0, "% of one"),
            ("memory afterwards", server.resident(), "kB"),
        ],
    }
}

/// Waits for the agents, who end when the server has answered what they asked last.
fn finish(stop: &Arc<AtomicBool>, agents: Vec<std::thread::JoinHandle<()>>) {
    stop.store(true, Ordering::Relaxed);
    for agent in agents {
        agent.join().unwrap();
    }
}
