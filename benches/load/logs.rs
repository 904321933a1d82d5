//! Log fragments as today's agent posts them, and a reader who follows.

use crate::drive::{Pace, Worker, drive};
use crate::http::{Connection, job};
use crate::report::Outcome;
use crate::{Run, Target};

const AGENTS: usize = 8;

pub(crate) async fn run(target: &Target, run: &Run) -> Outcome {
    let mut outcome = Outcome::default();
    for (name, size) in [("1 KB", 1 << 10), ("1 MB", 1 << 20)] {
        let server = run.start(target);
        let (mut writers, mut readers) = (Vec::new(), Vec::new());
        for number in 0..AGENTS {
            let mut connection = Connection::open(&server.addr).await;
            connection.post("/v1/job", &job(&format!("queue-{number}"))).await;
            let log = format!("/v1/result/{}/log/output", connection.job_id());
            let text = "a line of a log that is as long as lines of logs are\\n".repeat(size / 54);
            writers.push(Writer { connection, log: log.clone(), text, next: 0 });
            readers.push(Reader { connection: Connection::open(&server.addr).await, log, from: 0 });
        }
        let written = drive(writers, Pace::Closed, run.span);
        let written = run.row(format!("fragment of {name}, {AGENTS} agents"), &server, written);
        let read = drive(readers, Pace::Open(AGENTS as f64), run.span);
        let read = run.peer_row(format!("reading on, {AGENTS} users"), read);
        let (written, read) = tokio::join!(written, read);
        outcome.rows.extend([written, read]);
    }
    outcome
}

struct Writer {
    connection: Connection,
    log: String,
    text: String,
    next: u64,
}

impl Worker for Writer {
    async fn turn(&mut self) {
        let (number, text) = (self.next, &self.text);
        self.next += 1;
        let body = format!(
            r#"{{"fragment_number":{number},"timestamp":"2026-01-01T00:00:00+00:00","phase":"test","log_data":"{text}"}}"#
        );
        self.connection.post(&self.log, &body).await;
    }
}

/// Asks for what came after the last fragment it has seen, as the stock client does.
struct Reader {
    connection: Connection,
    log: String,
    from: u64,
}

impl Worker for Reader {
    async fn turn(&mut self) {
        let path = format!("{}?start_fragment={}", self.log, self.from);
        assert_eq!(self.connection.get(&path).await, 200);
        let answer: serde_json::Value = serde_json::from_slice(&self.connection.body).unwrap();
        let last = answer["output"]["test"]["last_fragment_number"].as_i64().unwrap();
        if let Ok(last) = u64::try_from(last) {
            self.from = last + 1;
        }
    }
}
