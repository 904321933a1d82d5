//! Agents say which job they have, also when they have not said so themselves.

use serde_json::{Value, json};

use crate::support::{Caller, TestServer};

const RIG: &str = "/v1/agents/data/rig";

/// A server with an agent that serves a queue and has a job of it.
fn with_job() -> (TestServer, Caller, String) {
    let server = TestServer::start();
    let agent = server.agent("rig");
    agent.post(RIG, &json!({ "state": "waiting", "comment": "", "queues": ["q"] }));
    let id = server.anonymous().submit(&json!({ "job_queue": "q" }));
    assert_eq!(agent.claim("q"), Some(id.clone()));
    (server, agent, id)
}

fn job_of(server: &TestServer) -> Value {
    server.anonymous().get(RIG).value()["job_id"].clone()
}

#[test]
fn a_claim_sets_the_job_of_its_agent_and_the_end_clears_it() {
    let (server, agent, id) = with_job();
    assert_eq!(job_of(&server), json!(id));
    agent.post(&format!("/v1/result/{id}"), &json!({ "job_state": "test" }));
    assert_eq!(job_of(&server), json!(id));
    agent.post(&format!("/v1/result/{id}"), &json!({ "job_state": "complete" }));
    assert_eq!(job_of(&server), json!(""));
}

#[test]
fn a_cancel_and_a_new_attempt_clear_the_job_of_its_agent() {
    let (server, _, id) = with_job();
    server.anonymous().post(&format!("/v1/job/{id}/action"), &json!({ "action": "cancel" }));
    assert_eq!(job_of(&server), json!(""));
    let (server, _, id) = with_job();
    server.anonymous().submit(&json!({ "job_queue": "q", "job_id": id }));
    assert_eq!(job_of(&server), json!(""));
}

#[test]
fn the_late_end_of_a_job_leaves_the_next_job_with_its_agent() {
    let (server, agent, id) = with_job();
    agent.post(RIG, &json!({ "job_id": id }));
    let next = server.anonymous().submit(&json!({ "job_queue": "q" }));
    assert_eq!(agent.claim("q"), Some(next.clone()));
    agent.post(&format!("/v1/result/{id}"), &json!({ "job_state": "complete" }));
    assert_eq!(job_of(&server), json!(next));
}

#[test]
fn a_claim_and_an_end_change_nothing_else_of_an_agent() {
    let (server, agent, id) = with_job();
    let state = json!({ "state": "offline", "comment": "is being moved" });
    server.anonymous().post(RIG, &state);
    agent.post(&format!("/v1/result/{id}"), &json!({ "job_state": "complete" }));
    let shown = server.anonymous().get(RIG).value();
    assert_eq!((&shown["state"], &shown["comment"]), (&state["state"], &state["comment"]));
}

#[test]
fn a_claim_makes_no_agent_that_has_said_nothing_about_itself() {
    let server = TestServer::start();
    server.anonymous().submit(&json!({ "job_queue": "q" }));
    server.agent("rig").claim("q").unwrap();
    assert_eq!(server.anonymous().get(RIG).status, 404);
}
