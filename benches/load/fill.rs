//! Many jobs before a load begins.

use tokio::task::JoinSet;

use crate::http::{Connection, job};
use crate::server::Server;

/// So many connections share a commit.
const CLIENTS: usize = 64;
const QUEUES: usize = 1000;

/// What becomes of the jobs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Wait,
    End,
}

/// Submits so many jobs to queues that nobody else uses.
pub(crate) async fn fill(server: &Server, jobs: usize, then: Then) {
    let mut all = JoinSet::new();
    for client in 0..CLIENTS {
        let mut connection = Connection::open(&server.addr).await;
        all.spawn(async move {
            for number in (client..jobs).step_by(CLIENTS) {
                connection.post("/v1/job", &job(&format!("filled-{}", number % QUEUES))).await;
                if then == Then::End {
                    let action = format!("/v1/job/{}/action", connection.job_id());
                    connection.post(&action, r#"{"action":"cancel"}"#).await;
                }
            }
        });
    }
    while let Some(one) = all.join_next().await {
        one.unwrap();
    }
}
