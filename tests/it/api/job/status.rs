//! How a job stands.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::auth::SECRET;
use crate::support::{Caller, Part, TestServer, ZERO};

fn status(caller: &Caller, job: &str) -> Value {
    let answer = caller.get(&format!("/v1/job/{job}/status"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.value()
}

fn waiting(caller: &Caller, job: &str) -> Value {
    status(caller, job)["waiting"].clone()
}

fn agent(server: &TestServer, name: &str, post: &Value) {
    let answer = server.agent(name).post(&format!("/v1/agents/data/{name}"), post);
    assert_eq!(answer.status, 200);
}

/// Lets an agent run one job of queue `q` for so long.
fn run(server: &TestServer, name: &str, span: Duration) {
    let job = server.anonymous().submit(&json!({ "job_queue": "q" }));
    let agent = server.agent(name);
    assert_eq!(agent.claim("q").as_ref(), Some(&job));
    server.pass(span);
    let result = format!("/v1/result/{job}");
    assert_eq!(agent.post(&result, &json!({ "job_state": "complete" })).status, 200);
}

#[test]
fn a_job_that_nobody_knows_has_no_status() {
    let server = TestServer::start();
    let answer = server.anonymous().get(&format!("/v1/job/{ZERO}/status"));
    assert_eq!((answer.status, answer.message()), (404, "Job not found".to_owned()));
    assert_eq!(server.anonymous().get("/v1/job/x/status").status, 400);
}

#[test]
fn a_job_waits_for_an_agent_then_for_its_turn() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let first = anyone.submit(&json!({ "job_queue": "q" }));
    let job = anyone.submit(&json!({ "job_queue": "q", "job_priority": 0 }));
    let found = status(&anyone, &job);
    assert_eq!(
        found,
        json!({
            "attempt": 1, "created_at": "2026-11-23T12:00:00Z",
            "history": [{
                "at": "2026-11-23T12:00:00Z", "by": "anonymous", "change": "state",
                "to": "waiting", "why": "submitted",
            }],
            "job_id": job, "job_priority": 0, "job_queue": "q", "job_state": "waiting",
            "pinned": false, "retries": 0, "since": "2026-11-23T12:00:00Z",
            "waiting": {
                "agents": [],
                "counts": { "busy": 0, "excluded": 0, "free": 0, "offline": 0, "restricted": 0 },
                "estimate": null, "message": "No agent serves the queue", "position": 1,
                "reason": "no_agents",
            },
        })
    );
    agent(&server, "rig", &json!({ "queues": ["q"], "state": "waiting" }));
    let found = waiting(&anyone, &job);
    assert_eq!(
        (&found["reason"], &found["message"]),
        (&json!("behind"), &json!("1 job comes first"))
    );
    let found = waiting(&anyone, &first);
    assert_eq!((&found["reason"], &found["agents"][0]["name"]), (&json!("next"), &json!("rig")));
}

#[test]
fn a_job_waits_while_every_agent_is_busy_or_offline() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    agent(&server, "rig", &json!({ "queues": ["q"], "state": "waiting" }));
    agent(&server, "dead", &json!({ "queues": ["q"], "state": "waiting" }));
    server.pass(Duration::from_secs(9));
    agent(&server, "dead", &json!({ "state": "offline", "comment": "disk broken" }));
    let other = anyone.submit(&json!({ "job_queue": "q" }));
    assert_eq!(server.agent("rig").claim("q").as_ref(), Some(&other));
    let job = anyone.submit(&json!({ "job_queue": "q" }));
    let found = waiting(&anyone, &job);
    assert_eq!(found["reason"], "busy");
    assert_eq!(found["message"], "The only agent for the job is busy");
    assert_eq!(
        found["agents"],
        json!([{ "condition": "busy", "job_id": other, "name": "rig", "since": "2026-11-23T12:00:09Z" }])
    );
    assert_eq!(found["counts"]["offline"], 1);

    // Nobody hears from the agent any more: it counts as offline, whatever it said.
    server.pass(Duration::from_secs(151));
    agent(&server, "dead", &json!({ "comment": "disk broken" }));
    let found = waiting(&anyone, &job);
    assert_eq!(found["reason"], "offline");
    let named = json!([
        { "condition": "silent", "job_id": other, "name": "rig", "since": "2026-11-23T12:00:09Z" },
        { "comment": "disk broken", "condition": "offline", "name": "dead", "since": "2026-11-23T12:00:09Z" },
    ]);
    assert_eq!(found["agents"], named);
    let message = "All 2 agents that could take the job are offline (rig since 2026-11-23T12:00:09Z and others)";
    assert_eq!(found["message"], message);
}

#[test]
fn a_job_waits_for_attachments_and_for_agents_that_it_does_not_exclude() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    agent(&server, "rig", &json!({ "queues": ["q"], "state": "waiting" }));
    agent(&server, "other", &json!({ "queues": ["q"], "state": "waiting" }));
    let job = json!({ "job_queue": "q", "test_data": { "attachments": [{ "agent": "a" }] } });
    let attached = anyone.submit(&job);
    assert_eq!(waiting(&anyone, &attached)["reason"], "attachments");
    let archive = [Part("file", b"archive")];
    assert_eq!(anyone.upload(&format!("/v1/job/{attached}/attachments"), &archive).status, 200);
    assert_eq!(waiting(&anyone, &attached)["reason"], "next");
    let excluding = anyone.submit(&json!({ "job_queue": "q", "exclude_agents": ["rig"] }));
    agent(&server, "other", &json!({ "queues": ["elsewhere"] }));
    let found = waiting(&anyone, &excluding);
    assert_eq!((&found["reason"], &found["counts"]["excluded"]), (&json!("excluded"), &json!(1)));
}

#[test]
fn a_job_waits_for_agents_that_serve_restricted_queues_alone() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    agent(&server, "rig", &json!({ "queues": ["q", "private"], "state": "waiting" }));
    let job = anyone.submit(&json!({ "job_queue": "q" }));
    assert_eq!(waiting(&anyone, &job)["reason"], "next");
    let admin = server.local();
    admin.create("owner", &json!({ "role": "contributor", "client_secret": SECRET }));
    admin.restrict("private", "owner");
    let found = waiting(&anyone, &job);
    assert_eq!(
        (&found["reason"], &found["counts"]["restricted"]),
        (&json!("restricted"), &json!(1))
    );
}

#[test]
fn the_start_is_foretold_once_some_jobs_have_run() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    agent(&server, "rig", &json!({ "queues": ["q"], "state": "waiting" }));
    for minutes in [1, 1, 2, 2] {
        run(&server, "rig", Duration::from_mins(minutes));
    }
    let foretold = |job: &str| waiting(&anyone, job)["estimate"].clone();
    let job = anyone.submit(&json!({ "job_queue": "q" }));
    assert_eq!(foretold(&job), Value::Null, "four runs are too few");
    assert_eq!(server.agent("rig").claim("q"), Some(job.clone()));
    server.pass(Duration::from_mins(3));
    let done = json!({ "job_state": "complete" });
    assert_eq!(server.agent("rig").post(&format!("/v1/result/{job}"), &done).status, 200);
    let next = anyone.submit(&json!({ "job_queue": "q" }));
    let at_once = json!({ "earliest_seconds": 0, "latest_seconds": 0, "likely_seconds": 0 });
    assert_eq!(foretold(&next), at_once);
    assert_eq!(server.agent("rig").claim("q"), Some(next));
    let (second, third) =
        (anyone.submit(&json!({ "job_queue": "q" })), anyone.submit(&json!({ "job_queue": "q" })));
    let range = |s: u64| json!({ "earliest_seconds": 60 * s, "latest_seconds": 120 * s, "likely_seconds": 120 * s });
    assert_eq!(foretold(&second), range(1));
    assert_eq!(foretold(&third), range(2));
}

#[test]
fn a_reservation_says_how_long_it_lasts() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let job = json!({ "job_queue": "q", "reserve_data": { "timeout": "2h" } });
    let job = anyone.submit(&job);
    let agent = server.agent("rig");
    assert_eq!(agent.claim("q").as_ref(), Some(&job));
    assert_eq!(status(&anyone, &job).get("reservation"), None);
    let result = format!("/v1/result/{job}");
    agent.post(&result, &json!({ "job_state": "reserve" }));
    server.pass(Duration::from_mins(30));
    let found = status(&anyone, &job);
    let reservation = json!({ "seconds_left": 5400, "until": "2026-11-23T14:00:00Z" });
    assert_eq!(
        (&found["reservation"], &found["since"]),
        (&reservation, &json!("2026-11-23T12:00:00Z"))
    );
    server.pass(Duration::from_hours(3));
    assert_eq!(status(&anyone, &job)["reservation"]["seconds_left"], 0);
}

#[test]
fn what_has_happened_to_a_job_is_told_with_who_and_why() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let job = anyone.submit(&json!({ "job_queue": "q" }));
    assert_eq!(server.agent("rig").claim("q").as_ref(), Some(&job));
    server.pass(Duration::from_secs(1));
    let cancel = json!({ "action": "cancel" });
    assert_eq!(anyone.post(&format!("/v1/job/{job}/action"), &cancel).status, 200);
    let found = status(&anyone, &job);
    assert_eq!((&found["agent"], &found["ended_by"]), (&json!("rig"), &json!("person")));
    assert_eq!(
        found["history"],
        json!([
            { "at": "2026-11-23T12:00:00Z", "by": "anonymous", "change": "state", "to": "waiting", "why": "submitted" },
            {
                "at": "2026-11-23T12:00:00Z", "by": "agent", "change": "state", "from": "waiting", "name": "rig",
                "to": "running", "why": "claimed",
            },
            { "at": "2026-11-23T12:00:01Z", "by": "anonymous", "change": "state", "from": "running", "to": "cancelled" },
        ])
    );
    anyone.submit(&json!({ "job_id": job, "job_queue": "q" }));
    let found = status(&anyone, &job);
    assert_eq!((&found["attempt"], &found["job_state"]), (&json!(2), &json!("waiting")));
}
