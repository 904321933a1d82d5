use serde_json::json;

use crate::support::{Caller, TestServer, ZERO};

fn job(anyone: &Caller) -> String {
    let id = anyone.submit(&json!({ "job_queue": "q" }));
    anyone.claim("q").unwrap();
    format!("/v1/result/{id}")
}

#[test]
fn a_new_job_has_a_state_and_nothing_else() {
    let server = TestServer::start();
    let id = server.anonymous().submit(&json!({ "job_queue": "q" }));
    let answer = server.anonymous().get(&format!("/v1/result/{id}"));
    assert_eq!(answer.seen(), (200, "{\"job_state\":\"waiting\"}\n".to_owned()));
}

#[test]
fn posts_are_merged_by_member() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let path = job(&anyone);
    anyone.post(&path, &json!({ "setup_status": 0, "setup_output": "a", "job_state": "setup" }));
    anyone
        .post(&path, &json!({ "setup_status": 1, "test_serial": "s", "device_info": { "ip": 1 } }));
    assert_eq!(
        anyone.get(&path).value(),
        json!({
            "setup_status": 1, "setup_output": "a", "test_serial": "s", "device_info": { "ip": 1 },
            "job_state": "setup",
        })
    );
}

#[test]
fn a_status_object_is_answered_flat_and_replaced_whole() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let path = job(&anyone);
    anyone.post(&path, &json!({ "status": { "setup": 0, "test": 3 }, "test_output": "t" }));
    assert_eq!(
        anyone.get(&path).value(),
        json!({ "setup_status": 0, "test_status": 3, "test_output": "t", "job_state": "running" })
    );
    anyone.post(&path, &json!({ "status": { "test": "4" } }));
    assert_eq!(
        anyone.get(&path).value(),
        json!({ "test_status": 4, "test_output": "t", "job_state": "running" })
    );
}

#[test]
fn unknown_members_come_back() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let path = job(&anyone);
    anyone.json("POST", &path, r#"{"exit_code": 1.50, "more": {"b": [1], "a": "é"}}"#);
    assert_eq!(
        anyone.get(&path).text(),
        "{\"exit_code\":1.50,\"job_state\":\"running\",\"more\":{\"b\":[1],\"a\":\"\\u00e9\"}}\n"
    );
}

#[test]
fn nothing_posted_is_fine() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let path = job(&anyone);
    assert_eq!(anyone.send("POST", &path, b"").seen(), (200, "OK".to_owned()));
    assert_eq!(anyone.json("POST", &path, "{}").seen(), (200, "OK".to_owned()));
}

#[test]
fn a_cancelled_job_stays_cancelled_and_keeps_late_results() {
    let server = TestServer::start();
    let agent = server.agent("a");
    let path = job(&agent);
    let action = path.replace("result", "job") + "/action";
    server.anonymous().post(&action, &json!({ "action": "cancel" }));
    for state in ["test", "complete", "completed", "waiting"] {
        let late = json!({ "test_status": 7, "job_state": state });
        assert_eq!(agent.post(&path, &late).status, 200);
        let kept = json!({ "agent_id": "a", "test_status": 7, "job_state": "cancelled" });
        assert_eq!(agent.get(&path).value(), kept);
    }
}

#[test]
fn a_completed_job_stays_completed() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let path = job(&anyone);
    anyone.post(&path, &json!({ "job_state": "complete" }));
    anyone.post(&path, &json!({ "job_state": "test", "x": 1 }));
    assert_eq!(anyone.get(&path).value(), json!({ "job_state": "complete", "x": 1 }));
}

#[test]
fn a_result_of_an_unknown_job_is_kept_and_makes_no_job() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let path = format!("/v1/result/{ZERO}");
    let posted = json!({ "test_status": 1, "job_state": "complete" });
    assert_eq!(anyone.post(&path, &posted).status, 200);
    assert_eq!(anyone.get(&path).value(), posted);
    assert_eq!(anyone.get(&format!("/v1/job/{ZERO}")).status, 204);
    assert_eq!(anyone.get("/v1/job/search").value(), json!([]));
}

#[test]
fn an_agent_gets_no_logs_but_everything_else() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let path = job(&anyone);
    anyone.post(
        &path,
        &json!({ "test_output": "long", "test_serial": "long", "test_status": 0, "exit_output": 1 }),
    );
    assert_eq!(
        server.agent("a").get(&path).value(),
        json!({ "test_status": 0, "exit_output": 1, "job_state": "running" })
    );
    assert_eq!(anyone.get(&path).value()["test_output"], "long");
}

#[test]
fn results_outlive_a_restart() {
    let mut server = TestServer::start();
    let path = job(&server.anonymous());
    server.anonymous().post(&path, &json!({ "test_output": "x".repeat(100_000) }));
    let before = server.anonymous().get(&path).body;
    server.restart();
    assert_eq!(server.anonymous().get(&path).body, before);
}

#[test]
fn an_answer_that_has_not_changed_is_not_sent_again() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let id = anyone.submit(&json!({ "job_queue": "q" }));
    let path = format!("/v1/result/{id}");
    let tag = anyone.get(&path).header("etag").unwrap().to_owned();
    let again = || anyone.clone().header("If-None-Match", &tag).get(&path);
    assert_eq!(again().seen(), (304, String::new()));
    anyone.post(&path, &json!({ "test_output": "x".repeat(100_000) }));
    let changed = again();
    assert_eq!(changed.status, 200);
    // The new text has the same length, so the sizes alone would not tell.
    let tag = changed.header("etag").unwrap().to_owned();
    anyone.post(&path, &json!({ "test_output": "y".repeat(100_000) }));
    assert_eq!(anyone.clone().header("If-None-Match", &tag).get(&path).status, 200);
}
