use serde_json::{Value, json};

use crate::support::TestServer;

#[test]
fn provisionings_that_end_alike_are_counted_in_a_row() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    anyone.post("/v1/agents/data/a", &json!({}));
    let streak = || {
        let agent = anyone.get("/v1/agents/data/a").value();
        (agent["provision_streak_type"].clone(), agent["provision_streak_count"].clone())
    };
    assert_eq!(streak(), (Value::Null, Value::Null));
    for (exit_code, kind, count) in
        [(0, "pass", 1), (0, "pass", 2), (1, "fail", 1), (-7, "fail", 2), (0, "pass", 1)]
    {
        let body = json!({ "job_id": "any", "exit_code": exit_code });
        let answer = anyone.post("/v1/agents/provision_logs/a", &body);
        assert_eq!(answer.seen(), (200, "OK".to_owned()));
        assert_eq!(streak(), (json!(kind), json!(count)));
    }
}

#[test]
fn a_provisioning_makes_no_agent() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    anyone.post("/v1/agents/provision_logs/a", &json!({ "job_id": "any", "exit_code": 0 }));
    assert_eq!(anyone.get("/v1/agents/data/a").status, 404);
}
