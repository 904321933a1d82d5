//! A job is submitted, then claimed: a durable queue's bread and butter. Peers do the same over their own protocols.

use crate::drive::{Pace, Worker, drive};
use crate::http::{Connection, find, job};
use crate::peers::{Beanstalkd, PostgreSql, Redis};
use crate::report::{Outcome, Row};
use crate::{Run, Target};

/// How many queues the clients share.
const QUEUES: usize = 8;

pub(crate) async fn run(target: &Target, run: &Run) -> Outcome {
    let mut outcome = Outcome::default();
    for clients in [1, 8, 64] {
        outcome.rows.push(with_clients(target, run, clients).await);
    }
    outcome
}

async fn with_clients(target: &Target, run: &Run, clients: usize) -> Row {
    let name = format!("pairs, {clients} clients");
    let queue = |client: usize| format!("queue-{}", client % QUEUES);
    let numbers = 0..clients;
    match target {
        Target::Ours(_) => {
            let server = run.start(target);
            let mut workers = Vec::new();
            for client in numbers {
                workers.push(Pair::new(&server.addr, &queue(client)).await);
            }
            run.row(name, &server, drive(workers, Pace::Closed, run.span)).await
        }
        Target::PostgreSql(addr) => {
            PostgreSql::prepare(addr).await;
            let mut workers = Vec::new();
            for client in numbers {
                workers.push(PostgreSql::open(addr, queue(client)).await);
            }
            run.peer_row(name, drive(workers, Pace::Closed, run.span)).await
        }
        Target::Redis(addr) => {
            Redis::prepare(addr).await;
            let mut workers = Vec::new();
            for client in numbers {
                workers.push(Redis::open(addr, queue(client)).await);
            }
            run.peer_row(name, drive(workers, Pace::Closed, run.span)).await
        }
        Target::Beanstalkd(addr) => {
            let mut workers = Vec::new();
            for client in numbers {
                workers.push(Beanstalkd::open(addr, &queue(client)).await);
            }
            run.peer_row(name, drive(workers, Pace::Closed, run.span)).await
        }
    }
}

/// Submits to a queue and claims from it. Other clients do the same there, so the job that comes back may be theirs.
pub(crate) struct Pair {
    connection: Connection,
    claim: String,
    job: String,
}

impl Pair {
    pub(crate) async fn new(addr: &str, queue: &str) -> Self {
        let connection = Connection::open(addr).await;
        // Without a cookie: an agent that never acknowledges its job would be handed the same one again.
        Self { connection, claim: format!("/v1/job?queue={queue}"), job: job(queue) }
    }
}

impl Worker for Pair {
    async fn turn(&mut self) {
        self.connection.post("/v1/job", &self.job).await;
        let status = self.connection.get(&self.claim).await;
        assert_eq!(status, 200, "a job was submitted before each claim");
        assert!(find(&self.connection.body, b"test_cmds").is_some());
    }
}
