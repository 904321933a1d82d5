use serde_json::json;

use crate::support::{TestServer, ZERO};

#[test]
fn a_status_is_the_state_and_the_exit_codes_and_never_a_log() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let id = anyone.submit(&json!({ "job_queue": "q" }));
    let path = format!("/v1/result/{id}/status");
    assert_eq!(anyone.get(&path).seen(), (200, "{\"job_state\":\"waiting\"}\n".to_owned()));
    anyone.claim("q").unwrap();
    let result = json!({
        "setup_status": 0, "test_status": 3, "test_output": "t", "device_info": {}, "exit_status": 1,
        "job_state": "test",
    });
    anyone.post(&format!("/v1/result/{id}"), &result);
    anyone.send("POST", &format!("/v1/result/{id}/output"), b"text");
    let seen = (200, "{\"job_state\":\"test\",\"setup_status\":0,\"test_status\":3}\n".to_owned());
    assert_eq!(anyone.get(&path).seen(), seen);
    assert_eq!(server.agent("a").get(&path).seen(), seen);
}

#[test]
fn without_a_job_there_is_a_status_only_if_one_was_posted() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let path = format!("/v1/result/{ZERO}/status");
    assert_eq!(anyone.get(&path).seen(), (204, String::new()));
    let bad = anyone.get("/v1/result/bad/status");
    assert_eq!((bad.status, bad.message().as_str()), (400, "Invalid job_id specified"));
    anyone
        .post(&format!("/v1/result/{ZERO}"), &json!({ "test_status": 0, "job_state": "complete" }));
    assert_eq!(anyone.get(&path).value(), json!({ "test_status": 0, "job_state": "complete" }));
}

#[test]
fn a_status_that_has_not_changed_is_not_sent_again() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let id = anyone.submit(&json!({ "job_queue": "q" }));
    let path = format!("/v1/result/{id}/status");
    let tag = anyone.get(&path).header("etag").unwrap().to_owned();
    let again = anyone.clone().header("If-None-Match", &tag);
    assert_eq!(again.get(&path).status, 304);
    // A log does not change it.
    anyone.send("POST", &format!("/v1/result/{id}/output"), b"text");
    assert_eq!(again.get(&path).status, 304);
    anyone.claim("q").unwrap();
    assert_eq!(again.get(&path).status, 200);
}

#[test]
fn an_agent_that_looks_for_the_status_of_its_job_has_got_it() {
    let server = TestServer::start();
    let first = server.anonymous().submit(&json!({ "job_queue": "q" }));
    let agent = server.agent("a");
    agent.claim("q").unwrap();
    agent.get(&format!("/v1/result/{first}/status"));
    server.anonymous().submit(&json!({ "job_queue": "q" }));
    assert_ne!(agent.claim("q"), Some(first));
}
