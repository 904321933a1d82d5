//! Agents whose requests are held until a job comes: what each costs, and how soon it has its job.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::drive::{Pace, Worker, drive};
use crate::http::{Connection, job};
use crate::report::{Outcome, Row};
use crate::{Run, Target};

/// Jobs per second. The agents are asked in turn.
const RATE: f64 = 200.0;

/// How long a job may take before it counts as lost, however busy the machine is.
const LOST: Duration = Duration::from_mins(1);

/// When each job was submitted.
type Submitted = Arc<Mutex<HashMap<String, Instant>>>;
/// When each job was delivered, and how often.
type Delivered = Arc<Mutex<HashMap<String, (Instant, usize)>>>;

pub(crate) async fn run(target: &Target, run: &Run) -> Outcome {
    let agents = run.agents;
    let server = run.start(target);
    let before = server.resident();
    let delivered = Delivered::default();
    let mut tasks = JoinSet::new();
    for agent in 0..agents {
        let connection = Connection::of_agent(&server.addr, &format!("a{agent}")).await;
        tasks.spawn(serve(connection, agent, Arc::clone(&delivered)));
    }
    settle(&server).await;
    let each = (server.resident() - before) / agents as f64;

    let submitted = Submitted::default();
    let connection = Connection::open(&server.addr).await;
    let asker = Submitter { connection, agents, next: 0, submitted: Arc::clone(&submitted) };
    let acknowledged = drive(vec![asker], Pace::Open(RATE), run.span);
    let row = run.row("submit to acknowledgement".to_owned(), &server, acknowledged).await;
    until_delivered(&submitted, &delivered).await;
    tasks.shutdown().await;

    let (submitted, delivered) = (submitted.lock().unwrap(), delivered.lock().unwrap());
    let mut took = crate::histogram::Histogram::default();
    for (id, begun) in submitted.iter() {
        let (at, count) = delivered.get(id).unwrap_or_else(|| panic!("job {id} was lost"));
        assert_eq!(*count, 1, "job {id} was delivered twice");
        took.record(*at - *begun);
    }
    let name = "submit to delivery".to_owned();
    let delivery = Row { name, rate: row.rate, took, processor: None };
    Outcome {
        rows: vec![row, delivery],
        notes: vec![("memory at rest", before, "kB"), ("memory for each held request", each, "kB")],
    }
}

/// Asks for a job, again and again, and finishes each at once.
async fn serve(mut connection: Connection, agent: usize, delivered: Delivered) {
    loop {
        if connection.get(&format!("/v1/job?queue=q{agent}")).await != 200 {
            continue;
        }
        let (at, id) = (Instant::now(), connection.job_id());
        delivered.lock().unwrap().entry(id.clone()).or_insert((at, 0)).1 += 1;
        // The stock agent's first words; without them the same job would rightly come again.
        connection.post(&format!("/v1/result/{id}"), r#"{"job_state":"complete"}"#).await;
    }
}

/// Waits until the program has taken all requests, so that its memory stays as it is.
async fn settle(server: &crate::server::Server) {
    let mut last = 0.0;
    while server.resident() > last {
        last = server.resident();
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

async fn until_delivered(submitted: &Submitted, delivered: &Delivered) {
    let is_missing = || {
        let delivered = delivered.lock().unwrap();
        submitted.lock().unwrap().keys().any(|id| !delivered.contains_key(id))
    };
    let begun = Instant::now();
    while is_missing() && begun.elapsed() < LOST {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // A job that comes twice has a moment for it.
    tokio::time::sleep(Duration::from_secs(1)).await;
}

struct Submitter {
    connection: Connection,
    agents: usize,
    next: usize,
    submitted: Submitted,
}

impl Worker for Submitter {
    async fn turn(&mut self) {
        self.next += 1;
        let begun = Instant::now();
        let agent = (self.next * 7919) % self.agents;
        self.connection.post("/v1/job", &job(&format!("q{agent}"))).await;
        self.submitted.lock().unwrap().insert(self.connection.job_id(), begun);
    }
}
