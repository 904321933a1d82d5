use serde_json::json;

use crate::support::TestServer;

#[test]
fn a_post_replaces_all_images_of_the_queues_that_it_names() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let images = |queue: &str| anyone.get(&format!("/v1/agents/images/{queue}")).value();
    assert_eq!(images("a"), json!({}));
    anyone.post("/v1/agents/images", &json!({ "a": { "x": "1", "y": "2" }, "b": { "z": "3" } }));
    anyone.post("/v1/agents/images", &json!({ "a": { "ubuntu-22.04": "4" } }));
    assert_eq!(images("a"), json!({ "ubuntu-22.04": "4" }));
    assert_eq!(images("b"), json!({ "z": "3" }));
}

#[test]
fn a_queue_that_has_only_images_is_listed_without_a_description() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    anyone.post("/v1/agents/queues", &json!({ "a": "told" }));
    anyone.post("/v1/agents/images", &json!({ "a": {}, "b": {} }));
    assert_eq!(anyone.get("/v1/agents/queues").value(), json!({ "a": "told", "b": "" }));
}
