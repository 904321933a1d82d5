//! Who gets a job again, and who must not get it.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::TestServer;

#[test]
fn an_agent_that_did_not_acknowledge_its_job_gets_it_again() {
    let server = TestServer::start();
    let first = server.anonymous().submit(&json!({ "job_queue": "q" }));
    let second = server.anonymous().submit(&json!({ "job_queue": "q" }));
    let agent = server.agent("a");
    assert_eq!(agent.claim("q"), Some(first.clone()));
    assert_eq!(agent.claim("q"), Some(first));
    assert_eq!(server.agent("b").claim("q"), Some(second));
}

#[test]
fn the_job_that_comes_again_is_the_same_to_the_byte() {
    let server = TestServer::start();
    server.anonymous().submit(&json!({ "job_queue": "q", "x": [1] }));
    let before = server.agent("a").get("/v1/job?queue=q").seen();
    server.pass(std::time::Duration::from_mins(1));
    assert_eq!(server.agent("a").get("/v1/job?queue=q").seen(), before);
}

#[test]
fn a_posted_result_acknowledges() {
    let server = TestServer::start();
    let first = server.anonymous().submit(&json!({ "job_queue": "q" }));
    let second = server.anonymous().submit(&json!({ "job_queue": "q" }));
    let agent = server.agent("a");
    agent.claim("q").unwrap();
    // A post by somebody else says nothing about the agent.
    server.agent("b").post(&format!("/v1/result/{first}"), &json!({ "x": 1 }));
    assert_eq!(agent.claim("q"), Some(first.clone()));
    agent.post(&format!("/v1/result/{first}"), &json!({ "job_state": "setup" }));
    assert_eq!(agent.claim("q"), Some(second));
}

#[test]
fn naming_the_job_in_the_agents_data_acknowledges() {
    let server = TestServer::start();
    let first = server.anonymous().submit(&json!({ "job_queue": "q" }));
    let second = server.anonymous().submit(&json!({ "job_queue": "q" }));
    let agent = server.agent("a");
    agent.claim("q").unwrap();
    agent.post("/v1/agents/data/a", &json!({ "job_id": "" }));
    assert_eq!(agent.claim("q"), Some(first.clone()));
    agent.post("/v1/agents/data/a", &json!({ "job_id": first }));
    assert_eq!(agent.claim("q"), Some(second));
}

#[test]
fn a_post_of_the_agent_that_names_no_job_does_not_acknowledge() {
    let server = TestServer::start();
    let first = server.anonymous().submit(&json!({ "job_queue": "q" }));
    let agent = server.agent("a");
    agent.post("/v1/agents/data/a", &json!({ "state": "waiting" }));
    agent.claim("q").unwrap();
    agent.post("/v1/agents/data/a", &json!({ "state": "waiting" }));
    assert_eq!(agent.claim("q"), Some(first));
}

#[test]
fn a_job_that_was_cancelled_before_it_was_acknowledged_does_not_come_again() {
    let server = TestServer::start();
    let first = server.anonymous().submit(&json!({ "job_queue": "q" }));
    let agent = server.agent("a");
    agent.claim("q").unwrap();
    server.anonymous().post(&format!("/v1/job/{first}/action"), &json!({ "action": "cancel" }));
    assert_eq!(agent.claim("q"), None);
}

#[test]
fn a_job_of_a_queue_that_the_agent_does_not_ask_for_does_not_come_again() {
    let server = TestServer::start();
    server.anonymous().submit(&json!({ "job_queue": "a" }));
    let other = server.anonymous().submit(&json!({ "job_queue": "b" }));
    let agent = server.agent("x");
    agent.claim("a").unwrap();
    assert_eq!(agent.claim("b"), Some(other.clone()));
    // Two jobs are unacknowledged now; each queue gives its own.
    server.anonymous().submit(&json!({ "job_queue": "b" }));
    assert_eq!(agent.claim("b"), Some(other));
}

#[test]
fn without_a_cookie_nothing_comes_again() {
    let server = TestServer::start();
    server.anonymous().submit(&json!({ "job_queue": "q" }));
    assert!(server.anonymous().claim("q").is_some());
    assert_eq!(server.anonymous().claim("q"), None);
}

#[test]
fn a_job_that_is_put_back_into_its_queue_is_handed_to_one_agent() {
    let server = TestServer::start();
    let id = server.anonymous().submit(&json!({ "job_queue": "q" }));
    server.agent("a").claim("q").unwrap();
    server.anonymous().post(&format!("/v1/result/{id}"), &json!({ "job_state": "waiting" }));
    assert_eq!(server.agent("a").claim("q"), Some(id));
    assert_eq!(server.agent("b").claim("q"), None);
}

#[test]
fn redelivery_outlives_a_restart() {
    let mut server = TestServer::start();
    let id = server.anonymous().submit(&json!({ "job_queue": "q" }));
    server.agent("a").claim("q").unwrap();
    server.restart();
    assert_eq!(server.agent("b").claim("q"), None);
    assert_eq!(server.agent("a").claim("q"), Some(id));
}

#[test]
fn excluded_agents_and_callers_without_a_name_do_not_get_a_job() {
    let server = TestServer::start();
    for name in ["a", "b"] {
        server.anonymous().post(&format!("/v1/agents/data/{name}"), &json!({ "queues": ["q"] }));
    }
    let excluding =
        server.anonymous().submit(&json!({ "job_queue": "q", "exclude_agents": ["a"] }));
    assert_eq!(server.agent("a").claim("q"), None);
    assert_eq!(server.anonymous().claim("q"), None);
    let free = server.anonymous().submit(&json!({ "job_queue": "q" }));
    assert_eq!(server.anonymous().claim("q"), Some(free));
    assert_eq!(server.agent("b").claim("q"), Some(excluding));
}

#[test]
fn a_job_that_excludes_every_agent_of_its_queue_is_refused() {
    let server = TestServer::start();
    let job = json!({ "job_queue": "q", "exclude_agents": ["a"] });
    let message = "There are no agents on the specified queue that are allowed to run this job";
    assert_eq!(server.anonymous().post("/v1/job", &job).message(), message);
    server.anonymous().post("/v1/agents/data/a", &json!({ "queues": ["q"] }));
    let answer = server.anonymous().post("/v1/job", &job);
    assert_eq!((answer.status, answer.message()), (422, message.to_owned()));
    server.anonymous().post("/v1/agents/data/b", &json!({ "queues": ["q"] }));
    assert_eq!(server.anonymous().post("/v1/job", &job).status, 200);
}

#[test]
fn each_job_goes_to_exactly_one_of_many_callers() {
    let server = TestServer::start();
    let jobs: BTreeSet<String> =
        (0..16).map(|_| server.anonymous().submit(&json!({ "job_queue": "q" }))).collect();
    let claimed: Vec<String> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..32)
            .map(|n| {
                let caller = server.agent(&format!("agent{n}"));
                scope.spawn(move || caller.claim("q"))
            })
            .collect();
        callers.into_iter().filter_map(|caller| caller.join().unwrap()).collect()
    });
    assert_eq!(claimed.len(), 16);
    assert_eq!(claimed.into_iter().collect::<BTreeSet<_>>(), jobs);
}
