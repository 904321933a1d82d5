use serde_json::json;

use crate::support::TestServer;

#[test]
fn a_name_that_begins_like_another_is_another() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    anyone.submit(&json!({ "job_queue": "q" }));
    anyone.submit(&json!({ "job_queue": "q1" }));
    anyone.submit(&json!({ "job_queue": "q q" }));
    for path in ["q", "q1", "q%20q"] {
        let list = anyone.get(&format!("/v1/queues/{path}/jobs")).value();
        assert_eq!(list.as_array().unwrap().len(), 1, "{path}");
    }
    assert_eq!(anyone.get("/v1/queues/wait_times/jobs").status, 204);
}
