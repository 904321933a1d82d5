use serde_json::json;

use crate::support::{TestServer, ZERO};

#[test]
fn a_running_job_can_be_cancelled_and_a_completed_one_cannot() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let id = anyone.submit(&json!({ "job_queue": "q" }));
    let cancel = || anyone.post(&format!("/v1/job/{id}/action"), &json!({ "action": "cancel" }));
    anyone.claim("q").unwrap();
    anyone.post(&format!("/v1/result/{id}"), &json!({ "job_state": "complete" }));
    assert_eq!(cancel().status, 400);
    anyone.submit(&json!({ "job_queue": "q", "job_id": id }));
    anyone.claim("q").unwrap();
    assert_eq!(cancel().seen(), (200, "OK".to_owned()));
    assert_eq!(anyone.state(&id), "cancelled");
}

#[test]
fn a_cancelled_job_is_not_handed_out() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let id = anyone.submit(&json!({ "job_queue": "q" }));
    anyone.post(&format!("/v1/job/{id}/action"), &json!({ "action": "cancel" }));
    assert_eq!(anyone.claim("q"), None);
}

#[test]
fn the_body_of_an_unknown_job_is_checked_first() {
    let server = TestServer::start();
    let path = format!("/v1/job/{ZERO}/action");
    assert_eq!(server.anonymous().post(&path, &json!({ "action": "x" })).status, 422);
    assert_eq!(server.anonymous().post(&path, &json!({ "action": "cancel" })).status, 404);
}
