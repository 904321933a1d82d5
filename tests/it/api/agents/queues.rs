use serde_json::{Map, Value, json};

use crate::support::TestServer;

#[test]
fn later_descriptions_replace_earlier_ones_and_add_to_the_list() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    assert_eq!(anyone.get("/v1/agents/queues").seen(), (200, "{}\n".to_owned()));
    anyone.post("/v1/agents/queues", &json!({ "a": "1", "b": "2" }));
    anyone.post("/v1/agents/queues", &json!({ "b": "3", "c": "" }));
    assert_eq!(anyone.get("/v1/agents/queues").value(), json!({ "a": "1", "b": "3", "c": "" }));
}

#[test]
fn a_long_list_is_answered_whole() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let queues: Map<String, Value> = (0..600).map(|n| (format!("q{n}"), json!("d"))).collect();
    let queues = Value::Object(queues);
    anyone.post("/v1/agents/queues", &queues);
    assert_eq!(anyone.get("/v1/agents/queues").value(), queues);
}

#[test]
fn a_body_of_another_type_advertises_nothing() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let answer = anyone.send("POST", "/v1/agents/queues", br#"{"a":"b"}"#);
    assert_eq!(answer.seen(), (200, "OK".to_owned()));
    assert_eq!(anyone.get("/v1/agents/queues").value(), json!({}));
}
