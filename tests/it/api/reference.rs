//! The curl examples of Testflinger's API reference. Where an example is misspelt (a missing line continuation, a
//! stray backslash), the request that it means is sent.

use serde_json::{Value, json};

use crate::support::{Part, TestServer, ZERO};

#[test]
fn a_job_is_submitted_with_an_option_of_its_own() {
    let server = TestServer::start();
    let body = r#"{ "job_queue": "myqueue", "option":"foo" }"#;
    let answer = server.anonymous().json("POST", "/v1/job", body);
    assert_eq!(answer.status, 200);
    let value = answer.value();
    let id = value["job_id"].as_str().unwrap();
    assert_eq!(value, json!({ "job_id": id }));
    assert_eq!(
        server.anonymous().get(&format!("/v1/job/{id}")).value(),
        json!({ "job_id": id, "job_queue": "myqueue", "option": "foo" })
    );
}

#[test]
fn a_job_is_taken_from_one_of_two_queues() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let ask = "/v1/job?queue=foo&queue=bar";
    assert_eq!(anyone.get(ask).seen(), (204, String::new()));
    let id = anyone.submit(&json!({ "job_queue": "bar" }));
    let answer = anyone.get(ask);
    assert_eq!((answer.status, &answer.value()["job_id"]), (200, &json!(id)));
    assert_eq!(anyone.get("/v1/job").status, 400);
}

#[test]
fn jobs_are_found_by_two_tags() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    anyone.submit(&json!({ "job_queue": "q", "tags": ["foo"] }));
    let both = anyone.submit(&json!({ "job_queue": "q", "tags": ["foo", "bar"] }));
    let answer = anyone.get("/v1/job/search?tags=foo&tags=bar&match=all");
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.value(),
        json!([{ "created_at": "2026-11-23T12:00:00Z", "job_id": both, "job_state": "waiting" }])
    );
}

#[test]
fn a_result_comes_back_as_it_was_posted() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let path = format!("/v1/result/{ZERO}");
    assert_eq!(anyone.get(&path).seen(), (204, String::new()));
    let answer = anyone.json("POST", &path, r#"{ "exit_code": 0, "output":"foo" }"#);
    assert_eq!(answer.seen(), (200, "OK".to_owned()));
    assert_eq!(
        anyone.get(&path).seen(),
        (200, "{\"exit_code\":0,\"output\":\"foo\"}\n".to_owned())
    );
}

#[test]
fn an_artifact_comes_back_as_it_was_posted() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let path = format!("/v1/result/{ZERO}/artifact");
    assert_eq!(anyone.get(&path).seen(), (204, String::new()));
    assert_eq!(anyone.upload(&path, &[Part("file", b"readme")]).seen(), (200, "OK".to_owned()));
    assert_eq!(anyone.get(&path).seen(), (200, "readme".to_owned()));
}

#[test]
fn queues_are_advertised_and_listed() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let body = r#"{ "myqueue": "queue 1", "myqueue2": "queue 2" }"#;
    let answer = anyone.json("POST", "/v1/agents/queues", body);
    assert_eq!(answer.seen(), (200, "OK".to_owned()));
    assert_eq!(
        anyone.get("/v1/agents/queues").seen(),
        (200, "{\"myqueue\":\"queue 1\",\"myqueue2\":\"queue 2\"}\n".to_owned())
    );
}

#[test]
fn images_of_a_queue_are_posted_and_listed() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let body = r#"{ "myqueue": { "image1": "url: http://place/imgae1" }}"#;
    let answer = anyone.json("POST", "/v1/agents/images", body);
    assert_eq!(answer.seen(), (200, "OK".to_owned()));
    assert_eq!(
        anyone.get("/v1/agents/images/myqueue").seen(),
        (200, "{\"image1\":\"url: http://place/imgae1\"}\n".to_owned())
    );
}

#[test]
fn a_job_is_cancelled_once() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let id = anyone.submit(&json!({ "job_queue": "q" }));
    let cancel =
        |id: &str| anyone.json("POST", &format!("/v1/job/{id}/action"), r#"{ "action":"cancel" }"#);
    assert_eq!(cancel(&id).seen(), (200, "OK".to_owned()));
    assert_eq!(anyone.state(&id), "cancelled");
    let again = (400, "The job is already completed or cancelled".to_owned());
    assert_eq!(cancel(&id).seen(), again);
    let unknown = cancel(ZERO);
    assert_eq!((unknown.status, unknown.message()), (404, "Job not found".to_owned()));
    let other = anyone.post(&format!("/v1/job/{id}/action"), &json!({ "action": "stop" }));
    assert_eq!(other.status, 422);
}

#[test]
fn agents_are_listed_and_shown() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    assert_eq!(anyone.get("/v1/agents/data").seen(), (200, "[]\n".to_owned()));
    let missing = anyone.get("/v1/agents/data/foo");
    assert_eq!((missing.status, missing.value()), (404, json!({})));
    anyone.post("/v1/agents/data/foo", &json!({ "state": "waiting" }));
    let foo = json!({
        "name": "foo", "state": "waiting", "updated_at": "2026-11-23T12:00:00Z",
        "last_seen_at": "2026-11-23T12:00:00Z", "restricted_to": {},
    });
    assert_eq!(anyone.get("/v1/agents/data/foo").value(), foo);
    assert_eq!(anyone.get("/v1/agents/data").value(), Value::Array(vec![foo]));
}

#[test]
fn the_end_of_a_provisioning_is_posted() {
    let server = TestServer::start();
    let body = format!(r#"{{ "job_id": "{ZERO}", "exit_code": 1, "detail":"foo" }}"#);
    let answer = server.anonymous().json("POST", "/v1/agents/provision_logs/myagent", &body);
    assert_eq!(answer.seen(), (200, "OK".to_owned()));
}

#[test]
fn wait_times_are_asked_for_two_queues() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let ask = "/v1/queues/wait_times?queue=foo&queue=bar";
    assert_eq!(anyone.get(ask).seen(), (200, "{}\n".to_owned()));
    anyone.submit(&json!({ "job_queue": "foo" }));
    anyone.claim("foo").unwrap();
    assert_eq!(
        anyone.get(ask).seen(),
        (200, "{\"foo\":{\"5\":0,\"10\":0,\"50\":0,\"90\":0,\"95\":0}}\n".to_owned())
    );
}

#[test]
fn the_agents_of_a_queue_are_listed() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    assert_eq!(anyone.get("/v1/queues/foo/agents").status, 404);
    anyone.post("/v1/agents/queues", &json!({ "foo": "a queue" }));
    assert_eq!(anyone.get("/v1/queues/foo/agents").seen(), (204, String::new()));
    anyone.post("/v1/agents/data/a", &json!({ "queues": ["foo"], "state": "waiting" }));
    let answer = anyone.get("/v1/queues/foo/agents");
    assert_eq!(answer.status, 200);
    let agents = json!([{ "name": "a", "queues": ["foo"], "state": "waiting" }]);
    assert_eq!(answer.value(), agents);
}

#[test]
fn the_jobs_of_a_queue_are_listed() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    assert_eq!(anyone.get("/v1/queues/foo/jobs").seen(), (204, String::new()));
    let id = anyone.submit(&json!({ "job_queue": "foo" }));
    let answer = anyone.get("/v1/queues/foo/jobs");
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.value(),
        json!([{
            "created_at": "2026-11-23T12:00:00Z", "job_id": id, "job_queue": "foo",
            "job_state": "waiting",
        }])
    );
}
