//! A server that is drained hands out no jobs.

use std::time::Duration;

use serde_json::{Value, json};
use testflinger_server::config::{Raw, Span};

use crate::support::{Connection, TestServer};

fn drain(server: &TestServer, method: &str) -> Value {
    let answer = server.local().send(method, "/admin/drain", None);
    assert_eq!(answer.status, 200);
    answer.value()
}

fn reason(server: &TestServer, job: &str) -> (Value, Value) {
    let status = server.anonymous().get(&format!("/v1/job/{job}/status")).value();
    (status["waiting"]["reason"].clone(), status["waiting"]["estimate"].clone())
}

#[test]
fn a_drained_server_hands_out_nothing_and_takes_results_until_it_is_resumed() {
    let mut server = TestServer::start();
    let submit = |server: &TestServer| server.anonymous().submit(&json!({ "job_queue": "q" }));
    let (runs, waits) = (submit(&server), submit(&server));
    assert_eq!(server.agent("a").claim("q").as_ref(), Some(&runs));
    let report = |server: &TestServer, state: &str| {
        let answer =
            server.agent("a").post(&format!("/v1/result/{runs}"), &json!({ "job_state": state }));
        assert_eq!(answer.status, 200);
    };
    report(&server, "test");
    assert_eq!(drain(&server, "GET"), json!({ "running": 1 }));
    assert_eq!(
        drain(&server, "PUT"),
        json!({ "drained_since": "2026-11-23T12:00:00Z", "running": 1 })
    );
    server.pass(Duration::from_mins(1));
    assert_eq!(drain(&server, "PUT")["drained_since"], "2026-11-23T12:00:00Z", "it goes on");
    assert_eq!(server.agent("b").claim("q"), None);
    assert_eq!(server.anonymous().claim("q"), None);
    let later = submit(&server);
    assert_eq!(reason(&server, &later), (json!("drained"), json!(null)));
    let ready = server.anonymous().get("/readyz");
    assert_eq!(ready.status, 200, "a load balancer must not take it away: {}", ready.text());
    assert!(server.anonymous().get("/").text().contains("testflinger-server resume"));
    report(&server, "complete");
    assert_eq!(server.anonymous().state(&runs), "complete");
    assert_eq!(drain(&server, "GET")["running"], 0);

    server.restart();
    assert_eq!(server.agent("b").claim("q"), None, "a restart resumes nothing");
    assert_eq!(drain(&server, "DELETE"), json!({ "running": 0 }));
    assert_eq!(server.agent("b").claim("q").as_ref(), Some(&waits));
    assert_eq!(server.anonymous().put("/admin/drain", &json!({})).status, 404);
}

#[test]
fn requests_that_are_held_get_their_jobs_when_the_server_resumes() {
    let raw = Raw { hold: Some(Span(Duration::from_secs(25))), ..Raw::default() };
    let server = TestServer::with(raw);
    drain(&server, "PUT");
    let mut held = Vec::new();
    for name in ["a", "b"] {
        let mut connection = Connection::open(&server.url());
        let cookie = format!("Cookie: agent_name={name}");
        connection.begin("GET /v1/job?queue=q", "text/plain", &cookie);
        held.push(connection);
    }
    let jobs = [(); 3].map(|()| server.anonymous().submit(&json!({ "job_queue": "q" })));
    drain(&server, "DELETE");
    let mut given: Vec<String> = Vec::new();
    for connection in held {
        let (status, body) = connection.answer();
        assert_eq!(status, 200);
        let job: Value = serde_json::from_str(&body).unwrap();
        given.push(job["job_id"].as_str().unwrap().to_owned());
    }
    given.sort_unstable();
    assert_eq!(given, jobs[..2]);
}

#[test]
fn an_agent_whose_answer_was_lost_gets_its_job_from_a_drained_server_too() {
    let server = TestServer::start();
    let job = server.anonymous().submit(&json!({ "job_queue": "q" }));
    assert_eq!(server.agent("a").claim("q").as_ref(), Some(&job));
    drain(&server, "PUT");
    assert_eq!(server.agent("a").claim("q").as_ref(), Some(&job));
}
