//! `GET /v1/events/job/<id>`

use std::time::Duration;

use serde_json::{Value, json};
use testflinger_server::config::{Mode, Raw};

use crate::support::{Caller, TestServer, ZERO};

fn events(caller: &Caller, id: &str) -> Vec<Value> {
    let answer = caller.get(&format!("/v1/events/job/{id}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let value = answer.value();
    assert_eq!(value["job_id"], id);
    value["events"].as_array().unwrap().clone()
}

/// Names, and the status where there is one.
fn names(events: &[Value]) -> Vec<String> {
    let name = |event: &Value| match event.get("status") {
        Some(status) => format!("{} {status}", event["event"].as_str().unwrap()),
        None => event["event"].as_str().unwrap().to_owned(),
    };
    events.iter().map(name).collect()
}

#[test]
fn the_events_of_a_job_tell_its_whole_story() {
    let server = TestServer::with(Raw { access: Some(Mode::Contributor), ..Raw::default() });
    let (dev, anyone) = (server.client("dev", "contributor"), server.anonymous());
    let agent = server.client("rig-token", "agent").header("Cookie", "agent_name=rig");
    let id = dev.submit(&json!({ "job_queue": "q" }));
    server.pass(Duration::from_secs(5));
    agent.claim("q").unwrap();
    let result = format!("/v1/result/{id}");
    agent.post(&result, &json!({ "job_state": "setup" }));
    agent.post(&result, &json!({ "status": { "setup": 0 } }));
    agent.post(&result, &json!({ "job_state": "test" }));
    agent.post(&result, &json!({ "status": { "setup": 0, "test": 3 } }));
    agent.post(&result, &json!({ "status": { "setup": 0, "test": 3 }, "job_state": "complete" }));
    let events = events(&anyone, &id);
    assert_eq!(
        names(&events),
        [
            "job_submitted",
            "job_assigned",
            "job_start",
            "setup_start",
            "setup_end 0",
            "test_start",
            "test_end 3",
            "job_end",
        ]
    );
    let told = |n: usize| (events[n]["timestamp"].clone(), events[n]["message"].clone());
    assert_eq!(
        told(0),
        (json!("2026-11-23T12:00:00Z"), json!("Submitted by client dev for queue q"))
    );
    assert_eq!(told(1), (json!("2026-11-23T12:00:05Z"), json!("Assigned to agent rig")));
    assert_eq!(told(6).1, "Phase test ended with status 3");
    assert_eq!(told(7).1, "Reported complete by agent rig");
}

#[test]
fn a_cancel_says_who_ended_the_job_and_why() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let id = anyone.submit(&json!({ "job_queue": "q" }));
    anyone.post(&format!("/v1/job/{id}/action"), &json!({ "action": "cancel" }));
    let all = events(&anyone, &id);
    assert_eq!(names(&all), ["job_submitted", "cancelled"]);
    assert_eq!(all[0]["message"], "Submitted by somebody without a token for queue q");
    assert_eq!(all[1]["message"], "Cancelled by somebody without a token");
}

#[test]
fn a_token_says_who_it_was_and_a_cookie_only_without_one() {
    let server = TestServer::start();
    let (anyone, boss) = (server.anonymous(), server.client("boss", "manager"));
    for (caller, who) in [(&boss, "boss"), (&anyone, "rig")] {
        let id = anyone.submit(&json!({ "job_queue": "q" }));
        let named = caller.clone().header("Cookie", "agent_name=rig");
        named.post(&format!("/v1/job/{id}/action"), &json!({ "action": "cancel" }));
        let said = events(&anyone, &id)[1]["message"].as_str().unwrap().to_owned();
        assert!(said.ends_with(who), "{said}");
    }
}

#[test]
fn a_job_that_was_posted_as_a_whole_has_events_too() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let id = anyone.submit(&json!({ "job_queue": "q" }));
    anyone.claim("q").unwrap();
    let result = json!({ "setup_status": 0, "cleanup_status": 1, "job_state": "complete" });
    anyone.post(&format!("/v1/result/{id}"), &result);
    assert_eq!(
        names(&events(&anyone, &id)),
        ["job_submitted", "job_assigned", "setup_end 0", "cleanup_end 1", "job_end"]
    );
}

#[test]
fn there_are_no_events_without_a_job() {
    let anyone = TestServer::start();
    let anyone = anyone.anonymous();
    assert_eq!(anyone.get(&format!("/v1/events/job/{ZERO}")).seen(), (204, String::new()));
    let bad = anyone.get("/v1/events/job/bad");
    assert_eq!((bad.status, bad.message().as_str()), (400, "Invalid job_id specified"));
}
