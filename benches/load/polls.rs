//! Users who watch their job while others write: an answer comes from a snapshot and must not wait for the writer.

use crate::drive::{Pace, Worker, drive};
use crate::http::{Connection, job};
use crate::pairs::Pair;
use crate::report::Outcome;
use crate::{Run, Target};

const WATCHERS: usize = 256;
const WRITERS: usize = 8;

pub(crate) async fn run(target: &Target, run: &Run) -> Outcome {
    let server = run.start(target);
    let mut watchers = Vec::new();
    for number in 0..WATCHERS {
        let mut connection = Connection::open(&server.addr).await;
        connection.post("/v1/job", &job(&format!("watched-{number}"))).await;
        let path = format!("/v1/result/{}", connection.job_id());
        watchers.push(Watcher { connection, path });
    }
    let mut writers = Vec::new();
    for number in 0..WRITERS {
        writers.push(Pair::new(&server.addr, &format!("queue-{number}")).await);
    }
    // As many polls as 10,000 users make who ask every ten seconds.
    let polls = drive(watchers, Pace::Open(1000.0), run.span);
    let polls = run.row(format!("status poll, {WATCHERS} watchers"), &server, polls);
    let pairs = run.peer_row(
        format!("pairs meanwhile, {WRITERS} clients"),
        drive(writers, Pace::Closed, run.span),
    );
    let (polls, pairs) = tokio::join!(polls, pairs);
    Outcome { rows: vec![polls, pairs], ..Outcome::default() }
}

struct Watcher {
    connection: Connection,
    path: String,
}

impl Worker for Watcher {
    async fn turn(&mut self) {
        assert_eq!(self.connection.get(&self.path).await, 200);
    }
}
