//! Files up and down.

use crate::drive::{Pace, Worker, drive};
use crate::http::{Connection, job};
use crate::report::Outcome;
use crate::{Run, Target};

const AGENTS: usize = 4;
const SIZE: usize = 8 << 20;

pub(crate) async fn run(target: &Target, run: &Run) -> Outcome {
    let server = run.start(target);
    let mut outcome = Outcome::default();
    for up in [true, false] {
        let mut workers = Vec::new();
        for number in 0..AGENTS {
            let mut connection = Connection::open(&server.addr).await;
            connection.post("/v1/job", &job(&format!("queue-{number}"))).await;
            let path = format!("/v1/result/{}/artifact", connection.job_id());
            let file: Vec<u8> = (0..SIZE as u64).map(|byte| (byte * 31 % 251) as u8).collect();
            if !up {
                connection.upload(&path, &file).await;
            }
            workers.push(Carrier { connection, path, file, up });
        }
        let name = format!("artifact of 8 MB {}, {AGENTS} agents", if up { "up" } else { "down" });
        let carried = drive(workers, Pace::Closed, run.span);
        outcome.rows.push(run.row(name, &server, carried).await);
    }
    outcome.notes.push(("memory afterwards", server.resident(), "kB"));
    outcome
}

struct Carrier {
    connection: Connection,
    path: String,
    file: Vec<u8>,
    up: bool,
}

impl Worker for Carrier {
    async fn turn(&mut self) {
        if self.up {
            self.connection.upload(&self.path, &self.file).await;
        } else {
            assert_eq!(self.connection.get(&self.path).await, 200);
            assert_eq!(self.connection.body.len(), self.file.len());
        }
    }
}
