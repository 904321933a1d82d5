use serde_json::json;

use crate::support::TestServer;

#[test]
fn an_unknown_queue_is_answered_with_an_object() {
    let server = TestServer::start();
    let answer = server.anonymous().get("/v1/queues/q/agents");
    let message = "Queue 'q' does not exist.".to_owned();
    assert_eq!((answer.status, answer.message()), (404, message));
}

#[test]
fn jobs_alone_make_no_queue() {
    let server = TestServer::start();
    server.anonymous().submit(&json!({ "job_queue": "q" }));
    assert_eq!(server.anonymous().get("/v1/queues/q/agents").status, 404);
}

#[test]
fn an_agent_always_has_a_state_and_only_some_members_are_shown() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    anyone
        .post("/v1/agents/data/z", &json!({ "queues": ["p", "q"], "rack": 1, "identifier": "i" }));
    anyone.post(
        "/v1/agents/data/a",
        &json!({
            "queues": ["q"], "state": "test", "location": "l", "provision_type": "p", "job_id": "j",
            "comment": "c",
        }),
    );
    assert_eq!(
        anyone.get("/v1/queues/q/agents").value(),
        json!([
            { "name": "z", "queues": ["p", "q"], "state": "unknown" },
            {
                "name": "a", "queues": ["q"], "state": "test", "location": "l",
                "provision_type": "p", "job_id": "j", "comment": "c",
            },
        ])
    );
}

#[test]
fn an_agent_leaves_the_queues_that_it_no_longer_posts() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    anyone.post("/v1/agents/data/a", &json!({ "queues": ["p", "q"] }));
    anyone.post("/v1/agents/data/a", &json!({ "queues": ["q"] }));
    assert_eq!(anyone.get("/v1/queues/p/agents").status, 404);
    assert_eq!(anyone.get("/v1/queues/q/agents").status, 200);
}
