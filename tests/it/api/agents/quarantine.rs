//! An agent whose provisionings fail while those of others pass is set aside.

use serde_json::{Value, json};
use testflinger_server::config::{Count, Raw};

use crate::support::TestServer;

/// A server that sets agents aside after two failures, and agents with their queues.
fn lab(agents: &[(&str, &[&str])]) -> TestServer {
    let quarantine_after = Some("2".parse::<Count>().unwrap());
    let server = TestServer::with(Raw { quarantine_after, ..Raw::default() });
    for (name, queues) in agents {
        let post = json!({ "queues": queues, "state": "waiting" });
        let path = format!("/v1/agents/data/{name}");
        assert_eq!(server.agent(name).post(&path, &post).status, 200);
    }
    server
}

fn provision(server: &TestServer, name: &str, code: i64) {
    let entry = json!({ "job_id": "x", "exit_code": code, "detail": "" });
    let path = format!("/v1/agents/provision_logs/{name}");
    assert_eq!(server.agent(name).post(&path, &entry).status, 200);
}

fn aside(server: &TestServer, name: &str) -> Value {
    server.anonymous().get(&format!("/v1/agents/data/{name}")).value()["aside"].clone()
}

#[test]
fn an_agent_that_fails_while_others_pass_is_set_aside_and_this_is_said() {
    let server = lab(&[("a", &["q"]), ("b", &["q"])]);
    provision(&server, "b", 0);
    provision(&server, "a", 1);
    assert_eq!(aside(&server, "a"), json!(null));
    provision(&server, "a", 1);
    let why = "its last 2 provisionings failed, while others of its queues passed";
    let expected = json!({ "cause": "quarantined", "since": "2026-11-23T12:00:00Z", "why": why });
    assert_eq!(aside(&server, "a"), expected);
    let anyone = server.anonymous();
    let job = anyone.submit(&json!({ "job_queue": "q" }));
    assert_eq!(server.agent("a").claim("q"), None);
    assert_eq!(server.agent("b").claim("q"), Some(job));
    let told = format!("quarantined: {why}");
    assert!(anyone.get("/").text().contains(&told));
    let history = anyone.get("/v1/agents/data/a/history").value();
    let last = history.as_array().unwrap().last().unwrap();
    assert_eq!((&last["by"], &last["to"]), (&json!("server"), &json!(told)));
    // Once it is resumed it has two failures again.
    let resumed = server.local().send("DELETE", "/admin/agents/a/aside", None);
    assert_eq!(resumed.status, 200);
    provision(&server, "a", 1);
    assert_eq!(aside(&server, "a"), json!(null));
    provision(&server, "a", 1);
    assert_eq!(aside(&server, "a")["cause"], "quarantined");
}

#[test]
fn nobody_is_set_aside_when_all_fail() {
    let server = lab(&[("a", &["q"]), ("b", &["q"])]);
    for name in ["a", "b", "a", "b", "a", "b"] {
        provision(&server, name, 1);
    }
    assert_eq!([aside(&server, "a"), aside(&server, "b")], [json!(null), json!(null)]);
}

#[test]
fn the_last_agent_of_a_queue_stays() {
    // "a" alone serves "own", and "c" is offline.
    let server = lab(&[("a", &["q", "own"]), ("b", &["q"]), ("c", &["own"])]);
    let offline = json!({ "state": "offline" });
    assert_eq!(server.agent("c").post("/v1/agents/data/c", &offline).status, 200);
    provision(&server, "b", 0);
    for _ in 0..3 {
        provision(&server, "a", 1);
    }
    assert_eq!(aside(&server, "a"), json!(null));
    let back = json!({ "state": "waiting" });
    assert_eq!(server.agent("c").post("/v1/agents/data/c", &back).status, 200);
    provision(&server, "a", 1);
    assert_eq!(aside(&server, "a")["cause"], "quarantined");
}

#[test]
fn nobody_is_set_aside_unless_that_is_switched_on() {
    let server = TestServer::start();
    for name in ["a", "b"] {
        let post = json!({ "queues": ["q"], "state": "waiting" });
        assert_eq!(server.agent(name).post(&format!("/v1/agents/data/{name}"), &post).status, 200);
    }
    provision(&server, "b", 0);
    for _ in 0..10 {
        provision(&server, "a", 1);
    }
    assert_eq!(aside(&server, "a"), json!(null));
}
