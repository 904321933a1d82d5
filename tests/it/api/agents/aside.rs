//! Agents that are set aside get no more jobs.

use serde_json::{Value, json};
use std::time::Duration;
use testflinger_server::config::{Raw, Span};

use crate::support::{Connection, TestServer};

fn enrol(server: &TestServer, name: &str, post: &Value) {
    assert_eq!(server.agent(name).post(&format!("/v1/agents/data/{name}"), post).status, 200);
}

fn set(server: &TestServer, method: &str, name: &str, why: &str) -> u16 {
    let path = format!("/admin/agents/{name}/aside");
    server.local().send(method, &path, Some(&json!({ "why": why }))).status
}

#[test]
fn a_drained_agent_finishes_its_job_and_gets_no_more_until_it_is_resumed() {
    let mut server = TestServer::start();
    let ready = json!({ "queues": ["q"], "state": "waiting" });
    enrol(&server, "a", &ready);
    let [runs, waits] = [(); 2].map(|()| server.anonymous().submit(&json!({ "job_queue": "q" })));
    assert_eq!(server.agent("a").claim("q").as_ref(), Some(&runs));
    let end = |server: &TestServer, state: &str| {
        let body = json!({ "job_state": state });
        assert_eq!(server.agent("a").post(&format!("/v1/result/{runs}"), &body).status, 200);
    };
    end(&server, "test");
    assert_eq!(set(&server, "PUT", "a", "new cable"), 200);
    // Stock agents say what they do, and this must not bring one back.
    enrol(&server, "a", &json!({ "state": "test", "comment": "" }));
    end(&server, "complete");
    enrol(&server, "a", &ready);
    assert_eq!(server.agent("a").claim("q"), None);
    server.restart();
    assert_eq!(server.agent("a").claim("q"), None);

    let anyone = server.anonymous();
    let shown = anyone.get("/v1/agents/data/a").value();
    let aside = json!({ "cause": "drained", "since": "2026-11-23T12:00:00Z", "why": "new cable" });
    assert_eq!((&shown["aside"], &shown["state"]), (&aside, &json!("waiting")));
    let waiting = anyone.get(&format!("/v1/job/{waits}/status")).value()["waiting"].clone();
    assert_eq!(waiting["reason"], "offline");
    assert_eq!(waiting["agents"][0]["comment"], "drained: new cable");
    assert!(anyone.get("/").text().contains("drained: new cable"));
    let history = anyone.get("/v1/agents/data/a/history").value();
    let told = history.as_array().unwrap().iter().find(|one| one["change"] == "aside").unwrap();
    assert_eq!((&told["by"], &told["to"]), (&json!("administrator"), &json!("drained: new cable")));

    assert_eq!(set(&server, "DELETE", "a", ""), 200);
    assert_eq!(server.agent("a").claim("q").as_ref(), Some(&waits));
    assert_eq!(anyone.get("/v1/agents/data/a").value()["aside"], json!(null));
    assert_eq!(set(&server, "PUT", "nobody", ""), 404);
}

#[test]
fn an_agent_that_is_held_while_it_is_set_aside_asks_anew_when_it_is_resumed() {
    let raw = Raw { hold: Some(Span(Duration::from_secs(25))), ..Raw::default() };
    let server = TestServer::with(raw);
    enrol(&server, "a", &json!({ "queues": ["q"], "state": "waiting" }));
    assert_eq!(set(&server, "PUT", "a", ""), 200);
    let job = server.anonymous().submit(&json!({ "job_queue": "q" }));
    let mut held = Connection::open(&server.url());
    held.begin("GET /v1/job?queue=q", "text/plain", "Cookie: agent_name=a");
    // The request may arrive before or after; either way the agent has its job in the end.
    assert_eq!(set(&server, "DELETE", "a", ""), 200);
    let (status, body) = held.answer();
    match status {
        204 => assert_eq!(server.agent("a").claim("q").as_ref(), Some(&job)),
        _ => assert!(body.contains(&job), "{body}"),
    }
}

#[test]
fn an_agent_cannot_say_that_it_is_set_aside() {
    let server = TestServer::start();
    enrol(&server, "a", &json!({ "queues": ["q"], "aside": { "cause": "drained" } }));
    assert_eq!(server.anonymous().get("/v1/agents/data/a").value()["aside"], json!(null));
}
