use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Answer, Caller, Part, TestServer, ZERO};

#[test]
fn a_job_is_shown_as_it_was_submitted_without_its_state() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let id = anyone.submit(&json!({
        "job_queue": "q", "global_timeout": "60", "output_timeout": 12.7, "debug": "yes",
        "reserve_data": { "ssh_keys": ["lp:me"], "timeout": "1h30m" },
        "provision_data": null, "more": { "a": [1, null] },
    }));
    anyone.claim("q").unwrap();
    assert_eq!(
        anyone.get(&format!("/v1/job/{id}")).value(),
        json!({
            "job_id": id, "job_queue": "q", "global_timeout": 60, "output_timeout": 12, "debug": true,
            "reserve_data": { "ssh_keys": ["lp:me"], "timeout": 5400 }, "more": { "a": [1, null] },
        })
    );
}

#[test]
fn numbers_that_no_machine_holds_pass_untouched() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let body = r#"{"job_queue":"q","big":123456789012345678901234567890.50,"e":1E+2}"#;
    anyone.json("POST", "/v1/job", body);
    let text = anyone.get("/v1/job?queue=q").text().to_owned();
    assert!(text.contains(r#""big":123456789012345678901234567890.50,"e":1E+2"#), "{text}");
}

#[test]
fn an_id_of_the_clients_own_is_kept() {
    let server = TestServer::start();
    let id = "12345678-1234-1234-1234-123456789abc";
    let job = |id: &str| json!({ "job_queue": "q", "job_id": id });
    let answer = server.anonymous().post("/v1/job", &job(id));
    assert_eq!(answer.value(), json!({ "job_id": id }));
    let answer = server.anonymous().post("/v1/job", &job("me"));
    assert_eq!((answer.status, answer.message()), (400, "Invalid job_id specified".to_owned()));
    let empty = server.anonymous().submit(&job(""));
    assert_ne!(empty, id);
}

#[test]
fn a_resubmission_starts_anew_at_the_end_of_the_queue() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let first = anyone.submit(&json!({ "job_queue": "q", "x": 1 }));
    anyone.claim("q").unwrap();
    let path = format!("/v1/result/{first}");
    anyone.post(&path, &json!({ "test_status": 1, "job_state": "complete" }));
    anyone.upload(&format!("{path}/artifact"), &[Part("file", b"old")]);
    let second = anyone.submit(&json!({ "job_queue": "q" }));
    server.pass(std::time::Duration::from_mins(1));
    let job = json!({ "job_queue": "q", "x": 2, "job_id": first });
    assert_eq!(anyone.submit(&job), first);
    assert_eq!(anyone.get(&path).value(), json!({ "job_state": "waiting" }));
    assert_eq!(anyone.get(&format!("{path}/artifact")).status, 204);
    assert!(server.blob_files().is_empty());
    let list = anyone.get("/v1/queues/q/jobs").value();
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!(list[1]["created_at"], "2026-11-23T12:01:00Z");
    assert_eq!(anyone.claim("q"), Some(second));
    let again = anyone.get("/v1/job?queue=q").value();
    assert_eq!((&again["job_id"], &again["x"]), (&json!(first), &json!(2)));
}

#[test]
fn a_resubmission_leaves_its_old_queue_and_tags() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let id = anyone.submit(&json!({ "job_queue": "old", "tags": ["old"] }));
    anyone.submit(&json!({ "job_queue": "new", "tags": ["new"], "job_id": id }));
    assert_eq!(anyone.get("/v1/queues/old/jobs").status, 204);
    assert_eq!(anyone.get("/v1/job/search?tags=old").value(), json!([]));
    assert_eq!(anyone.claim("old"), None);
    assert_eq!(anyone.claim("new"), Some(id));
}

fn submit_with(caller: &Caller, key: &str, job: &Value) -> Answer {
    caller.clone().header("Idempotency-Key", key).post("/v1/job", job)
}

#[test]
fn a_submission_with_the_same_key_makes_no_second_job_for_a_day() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let job = json!({ "job_queue": "q", "tags": ["once"] });
    let submit = || submit_with(&anyone, "key-1", &job).value()["job_id"].clone();
    let first = submit();
    server.pass(Duration::from_hours(1));
    assert_eq!(submit(), first);
    assert_eq!(anyone.claim("q").as_deref(), first.as_str());
    assert_eq!(anyone.claim("q"), None);
    assert_eq!(submit(), first, "whatever has become of it");
    assert_ne!(submit_with(&anyone, "key-2", &job).value()["job_id"], first);
    server.pass(Duration::from_hours(24));
    let second = submit();
    assert_ne!(second, first);
    assert_eq!(submit(), second);
}

#[test]
fn a_key_stands_for_one_submission_of_one_submitter() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let (one, other) = (server.client("one", "contributor"), server.client("other", "contributor"));
    let job = json!({ "job_queue": "q" });
    let ids = [&anyone, &one, &other].map(|caller| submit_with(caller, "key", &job).value());
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2], "{ids:?}");
    let reused = submit_with(&anyone, "key", &json!({ "job_queue": "other" }));
    assert_eq!(reused.status, 422);
    assert!(reused.message().contains("used for another job"));
    let named = json!({ "job_queue": "q", "job_id": ZERO });
    assert_eq!(submit_with(&anyone, "key", &named).status, 422);
    for bad in ["", &"x".repeat(256)] {
        let answer = submit_with(&anyone, bad, &job);
        assert_eq!((answer.status, answer.message()), (400, "Invalid Idempotency-Key".to_owned()));
    }
    assert_eq!(anyone.get("/v1/queues/q/jobs").value().as_array().unwrap().len(), 3);
}

#[test]
fn order_and_states_outlive_a_restart() {
    let mut server = TestServer::start();
    let submit = |server: &TestServer| server.anonymous().submit(&json!({ "job_queue": "q" }));
    let ids: Vec<String> = (0..5).map(|_| submit(&server)).collect();
    server.anonymous().claim("q").unwrap();
    server.anonymous().post(&format!("/v1/job/{}/action", ids[1]), &json!({ "action": "cancel" }));
    server.restart();
    let last = submit(&server);
    let anyone = server.anonymous();
    assert_eq!(
        (anyone.state(&ids[0]), anyone.state(&ids[1])),
        ("running".into(), "cancelled".into())
    );
    for id in ids.into_iter().skip(2).chain([last]) {
        assert_eq!(anyone.claim("q"), Some(id));
    }
    assert_eq!(anyone.claim("q"), None);
}
