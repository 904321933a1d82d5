use serde_json::json;

use crate::support::TestServer;

#[test]
fn a_submitted_job_is_handed_out_with_everything_that_was_submitted() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let id = anyone.submit(&json!({ "job_queue": "myqueue", "option": "foo" }));
    let answer = anyone.get("/v1/job?queue=foo&queue=myqueue");
    assert_eq!(
        answer.seen(),
        (
            200,
            format!(
                "{{\"job_id\":\"{id}\",\"job_queue\":\"myqueue\",\"option\":\"foo\",\
                 \"started_at\":\"2026-11-23T12:00:00Z\"}}\n"
            )
        )
    );
    assert_eq!(anyone.get("/v1/job?queue=myqueue").seen(), (204, String::new()));
}

#[test]
fn submit_order_holds_over_several_queues() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let first = anyone.submit(&json!({ "job_queue": "b" }));
    let second = anyone.submit(&json!({ "job_queue": "a" }));
    let third = anyone.submit(&json!({ "job_queue": "b" }));
    let claim = || anyone.get("/v1/job?queue=a&queue=b").value()["job_id"].clone();
    assert_eq!([claim(), claim(), claim()], [first, second, third]);
}

#[test]
fn head_takes_no_job() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let id = anyone.submit(&json!({ "job_queue": "q" }));
    assert_eq!(anyone.send("HEAD", "/v1/job?queue=q", b"").status, 204);
    assert_eq!(anyone.claim("q"), Some(id));
}

#[test]
fn a_claim_without_a_queue_is_refused_and_an_empty_name_is_a_queue() {
    let server = TestServer::start();
    let answer = server.anonymous().get("/v1/job");
    let message = "No queue(s) specified in request".to_owned();
    assert_eq!((answer.status, answer.message()), (400, message));
    assert_eq!(server.anonymous().get("/v1/job?queue=").seen(), (204, String::new()));
}
