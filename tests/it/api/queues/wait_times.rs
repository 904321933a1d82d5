use std::time::Duration;

use serde_json::json;

use crate::support::TestServer;

/// Lets a job wait in a queue.
fn wait(server: &TestServer, queue: &str, seconds: u64) {
    server.anonymous().submit(&json!({ "job_queue": queue }));
    server.pass(Duration::from_secs(seconds));
    server.anonymous().claim(queue).unwrap();
}

#[test]
fn percentiles_lie_between_the_samples() {
    let server = TestServer::start();
    for seconds in [2, 0, 2] {
        wait(&server, "q", seconds);
    }
    assert_eq!(
        server.anonymous().get("/v1/queues/wait_times").text(),
        "{\"q\":{\"5\":0.2,\"10\":0.4,\"50\":2.0,\"90\":2.0,\"95\":2.0}}\n"
    );
}

#[test]
fn a_wait_of_more_than_a_day_is_counted_whole() {
    let server = TestServer::start();
    wait(&server, "q", 90_000);
    assert_eq!(server.anonymous().get("/v1/queues/wait_times").value()["q"]["50"], 90_000);
}

#[test]
fn only_the_queues_that_are_asked_for_are_answered() {
    let server = TestServer::start();
    for queue in ["b", "a", "c"] {
        wait(&server, queue, 1);
    }
    let names = |query: &str| {
        let answer = server.anonymous().get(&format!("/v1/queues/wait_times{query}")).value();
        answer.as_object().unwrap().keys().cloned().collect::<Vec<String>>()
    };
    assert_eq!(names(""), ["a", "b", "c"]);
    assert_eq!(names("?queue=c&queue=a&queue=unknown&queue=c"), ["a", "c"]);
    assert_eq!(names("?queue=unknown"), Vec::<String>::new());
}

#[test]
fn a_clock_that_stepped_back_counts_as_no_wait() {
    let server = TestServer::start();
    server.anonymous().submit(&json!({ "job_queue": "q" }));
    server.step_back(Duration::from_hours(1));
    server.anonymous().claim("q").unwrap();
    assert_eq!(server.anonymous().get("/v1/queues/wait_times").value()["q"]["50"], 0);
}
