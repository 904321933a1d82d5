//! A lab: agents of both generations and their users, with the requests that the stock programs send, in their order.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::histogram::Histogram;
use crate::http::{Connection, find, job};
use crate::report::{Outcome, Row};
use crate::{Run, Target};

const AGENTS: usize = 400;
const USERS: usize = 60;
const AGENTS_OF_A_QUEUE: usize = 4;
/// A second of the lab: it runs ten times as fast.
const SECOND: Duration = Duration::from_millis(100);
/// Between two questions of an idle agent, and of a user.
const INTERVAL: u32 = 10;
/// A job that has not ended by then is stuck.
const PATIENCE: Duration = Duration::from_mins(1);

/// What everybody notes.
#[derive(Default)]
struct Notes {
    took: BTreeMap<&'static str, Histogram>,
    delivered: HashMap<String, usize>,
}

/// One program of the lab.
struct Caller {
    connection: Connection,
    notes: Arc<Mutex<Notes>>,
}

impl Caller {
    async fn get(&mut self, kind: &'static str, path: &str) -> u16 {
        let begun = Instant::now();
        let status = self.connection.get(path).await;
        self.note(kind, begun);
        status
    }

    async fn post(&mut self, kind: &'static str, path: &str, json: &str) {
        let begun = Instant::now();
        self.connection.post(path, json).await;
        self.note(kind, begun);
    }

    fn note(&self, kind: &'static str, begun: Instant) {
        self.notes.lock().unwrap().took.entry(kind).or_default().record(begun.elapsed());
    }
}

pub(crate) async fn run(target: &Target, run: &Run) -> Outcome {
    let server = run.start_holding(target, "2s");
    let notes = Arc::new(Mutex::new(Notes::default()));
    let mut agents = JoinSet::new();
    for number in 0..AGENTS {
        let name = format!("agent-{number}");
        let connection = Connection::of_agent(&server.addr, &name).await;
        let caller = Caller { connection, notes: Arc::clone(&notes) };
        let queue = format!("queue-{}", number / AGENTS_OF_A_QUEUE);
        let agent = Agent { caller, name, queue, of_today: number % 2 == 0 };
        agents.spawn(agent.live(number));
    }
    // Every agent has registered, so that users find it.
    tokio::time::sleep(SECOND * INTERVAL * 2).await;
    notes.lock().unwrap().took.clear();
    let before = server.processor();
    let end = Instant::now() + run.span;
    let mut users = Vec::new();
    for number in 0..USERS {
        let connection = Connection::open(&server.addr).await;
        let caller = Caller { connection, notes: Arc::clone(&notes) };
        users.push(tokio::spawn(use_lab(caller, number, end)));
    }
    let mut jobs = Vec::new();
    for user in users {
        jobs.extend(user.await.unwrap());
    }
    let span = (end.elapsed() + run.span).as_secs_f64();
    let spent = server.processor() - before;
    agents.shutdown().await;

    let mut notes = notes.lock().unwrap();
    for id in &jobs {
        assert_eq!(notes.delivered.get(id), Some(&1), "job {id} was not delivered exactly once");
    }
    let rows = std::mem::take(&mut notes.took).into_iter().map(|(kind, took)| Row {
        name: kind.to_owned(),
        rate: took.count() as f64 / span,
        took,
        processor: None,
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

struct Agent {
    caller: Caller,
    name: String,
    queue: String,
    /// Else of August 2025.
    of_today: bool,
}

impl Agent {
    async fn live(mut self, number: usize) {
        tokio::time::sleep(SECOND * INTERVAL * number as u32 / AGENTS as u32).await;
        let data = format!("/v1/agents/data/{}", self.name);
        let queues = format!(r#"{{"{}":"some machines"}}"#, self.queue);
        let ask = format!("/v1/job?queue={}", self.queue);
        self.state("waiting").await;
        self.caller.post("agent: queues", "/v1/agents/queues", &queues).await;
        let about = format!(
            r#"{{"location":"here","provision_type":"maas2","identifier":"x","queues":["{}"]}}"#,
            self.queue
        );
        self.caller.post("agent: data", &data, &about).await;
        loop {
            if self.of_today {
                self.caller.get("GET /v1", "/v1").await;
            } else {
                self.caller.get("agent: look at itself", &data).await;
                self.caller.post("agent: queues", "/v1/agents/queues", &queues).await;
            }
            self.caller.get("agent: look at itself", &data).await;
            // Held until there is one, or until the agent had better ask again: not a time to note.
            if self.caller.connection.get(&ask).await == 200 {
                let id = self.caller.connection.job_id();
                self.work(&id).await;
            } else {
                tokio::time::sleep(SECOND * INTERVAL).await;
            }
        }
    }

    async fn state(&mut self, state: &str) {
        let path = format!("/v1/agents/data/{}", self.name);
        self.caller.post("agent: data", &path, &format!(r#"{{"state":"{state}"}}"#)).await;
    }

    async fn work(&mut self, id: &str) {
        *self.caller.notes.lock().unwrap().delivered.entry(id.to_owned()).or_default() += 1;
        let result = format!("/v1/result/{id}");
        let data = format!("/v1/agents/data/{}", self.name);
        self.caller.post("agent: data", &data, &format!(r#"{{"job_id":"{id}"}}"#)).await;
        let mut fragment = 0;
        for phase in ["setup", "provision", "test", "cleanup"] {
            let state = format!(r#"{{"job_state":"{phase}"}}"#);
            self.caller.post("agent: result", &result, &state).await;
            self.state(phase).await;
            for _ in 0..5 {
                self.say(&result, phase, fragment).await;
                fragment += 1;
                tokio::time::sleep(SECOND).await;
            }
            self.caller.get("agent: is it cancelled", &result).await;
            if self.of_today {
                let status = format!(r#"{{"status":{{"{phase}":0}}}}"#);
                self.caller.post("agent: result", &result, &status).await;
            }
        }
        let log = format!(r#"{{"job_id":"{id}","exit_code":0,"detail":""}}"#);
        let path = format!("/v1/agents/provision_logs/{}", self.name);
        self.caller.post("agent: provision log", &path, &log).await;
        let begun = Instant::now();
        let file = vec![7; 200_000];
        self.caller.connection.upload(&format!("{result}/artifact"), &file).await;
        self.caller.note("agent: artifact of 200 kB", begun);
        let all = if self.of_today {
            r#"{"status":{"setup":0,"provision":0,"test":0,"cleanup":0},"job_state":"complete"}"#
        } else {
            r#"{"setup_status":0,"provision_status":0,"test_status":0,"test_output":"all went well","job_state":"complete"}"#
        };
        self.caller.post("agent: result", &result, all).await;
        self.caller.post("agent: data", &data, r#"{"job_id":"","state":"waiting"}"#).await;
    }

    /// A piece of the log, in the words of each generation.
    async fn say(&mut self, result: &str, phase: &str, number: u32) {
        let line = "a line of what a device has to say while it is tested";
        if self.of_today {
            let body = format!(
                r#"{{"fragment_number":{number},"timestamp":"2026-01-01T00:00:00+00:00","phase":"{phase}","log_data":"{line}\n"}}"#
            );
            self.caller.post("agent: log", &format!("{result}/log/output"), &body).await;
        } else {
            let begun = Instant::now();
            self.caller.connection.post_text(&format!("{result}/output"), line).await;
            self.caller.note("agent: output", begun);
        }
    }
}

/// Submits jobs and watches each, until `end`; gives their ids.
async fn use_lab(mut caller: Caller, number: usize, end: Instant) -> Vec<String> {
    let queues = AGENTS / AGENTS_OF_A_QUEUE;
    let mut jobs = Vec::new();
    tokio::time::sleep(SECOND * INTERVAL * number as u32 / USERS as u32).await;
    while Instant::now() < end {
        let queue = format!("queue-{}", (number * 7 + jobs.len()) % queues);
        caller.get("user: agents of a queue", &format!("/v1/queues/{queue}/agents")).await;
        caller.post("user: submit", "/v1/job", &job(&queue)).await;
        let id = caller.connection.job_id();
        watch(&mut caller, &id).await;
        let status = caller.get("user: artifact", &format!("/v1/result/{id}/artifact")).await;
        assert_eq!(status, 200, "the artifact of job {id}");
        jobs.push(id);
    }
    jobs
}

async fn watch(caller: &mut Caller, id: &str) {
    let begun = Instant::now();
    let mut from = 0;
    loop {
        caller.get("user: status", &format!("/v1/result/{id}")).await;
        let complete = find(&caller.connection.body, b"\"job_state\":\"complete\"").is_some();
        caller.get("user: log", &format!("/v1/result/{id}/log/output?start_fragment={from}")).await;
        let log: serde_json::Value = serde_json::from_slice(&caller.connection.body).unwrap();
        let phases = log["output"].as_object().unwrap().values();
        let last = phases.filter_map(|phase| phase["last_fragment_number"].as_i64()).max();
        from = last.map_or(from, |last| from.max(last + 1));
        if complete {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "job {id} is stuck");
        tokio::time::sleep(SECOND * INTERVAL).await;
    }
}
