//! Alerts go to the place that the site has set.

use std::time::Duration;

use serde_json::{Value, json};
use testflinger_server::config::{AlertForm, Count, Raw, Size, Span};

use crate::support::{TestServer, hook};

/// A server that needs no backup.
fn with(raw: Raw) -> TestServer {
    TestServer::with(Raw { alert_backup_age: Some(Span(Duration::ZERO)), ..raw })
}

#[test]
fn an_alert_is_said_once_when_it_begins_and_once_when_it_ends_over_restarts() {
    let hook = hook();
    let alert_url = Some(format!("{}/200", hook.url).parse().unwrap());
    let alert_form = Some(AlertForm::Text);
    let mut server = with(Raw { alert_url, alert_form, ..Raw::default() });
    server.anonymous().submit(&json!({ "job_queue": "q" }));
    // It looks when it starts, and then every 15 seconds.
    server.restart();
    let (head, body) = hook.asked.recv().unwrap();
    assert!(head.starts_with("POST /200 ") && head.contains("text/plain"), "{head}");
    assert_eq!(body, "Jobs wait in queues without agents: q");
    server.restart();
    server.agent("a").post("/v1/agents/data/a", &json!({ "state": "waiting", "queues": ["q"] }));
    server.restart();
    assert_eq!(hook.asked.recv().unwrap().1, "Queues have agents, or no jobs, again: q");
}

#[test]
fn an_agent_in_quarantine_is_said_until_it_is_resumed() {
    let hook = hook();
    let alert_url = Some(format!("{}/200", hook.url).parse().unwrap());
    let (alert_form, quarantine_after) =
        (Some(AlertForm::Text), Some("1".parse::<Count>().unwrap()));
    let mut server = with(Raw { alert_url, alert_form, quarantine_after, ..Raw::default() });
    for (name, code) in [("b", 0), ("a", 1)] {
        let agent = server.agent(name);
        let post = json!({ "state": "waiting", "queues": ["q"] });
        agent.post(&format!("/v1/agents/data/{name}"), &post);
        let entry = json!({ "job_id": "x", "exit_code": code, "detail": "" });
        agent.post(&format!("/v1/agents/provision_logs/{name}"), &entry);
    }
    server.restart();
    assert_eq!(hook.asked.recv().unwrap().1, "Agents are set aside: a");
    server.local().send("DELETE", "/admin/agents/a/aside", None);
    server.restart();
    assert_eq!(hook.asked.recv().unwrap().1, "Agents are no longer set aside: a");
}

#[test]
fn an_alert_in_json_has_its_sentence_and_what_programs_need() {
    let hook = hook();
    let alert_url = Some(format!("{}/200", hook.url).parse().unwrap());
    let disk_reserve = Some(Size(u64::MAX));
    let _server = with(Raw { alert_url, disk_reserve, ..Raw::default() });
    let (head, body) = hook.asked.recv().unwrap();
    assert!(head.starts_with("POST /200 ") && head.contains("application/json"), "{head}");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        body,
        json!({
            "alert": "disk_reserve",
            "at": "2026-11-23T12:00:00Z",
            "names": [],
            "state": "begins",
            "text": "Less of the disk is free than disk_reserve, so uploads are refused",
        })
    );
}
