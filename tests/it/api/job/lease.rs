//! The server looks after silent agents by itself. It checks every few seconds, so these tests take that long.

use std::time::Duration;

use serde_json::json;
use testflinger_server::config::{Raw, Span};

use crate::support::{TestServer, until};

#[test]
fn a_job_that_was_never_acknowledged_goes_to_an_agent_that_waits_for_it() {
    let hold = Some(Span(Duration::from_secs(25)));
    let server = TestServer::with(Raw { hold, ..Raw::default() });
    let job = server.anonymous().submit(&json!({ "job_queue": "q" }));
    assert_eq!(server.agent("dead").claim("q").as_ref(), Some(&job));
    server.pass(Duration::from_secs(121));
    assert_eq!(server.agent("b").claim("q").as_ref(), Some(&job));
    // Nobody else has it: the agent that it was handed to first is told nothing about it.
    assert_eq!(server.agent("dead").header("Prefer", "wait=0").claim("q"), None);
}

#[test]
fn a_job_whose_agent_fell_silent_ends_and_its_output_says_why() {
    let server = TestServer::start();
    let job = server.anonymous().submit(&json!({ "job_queue": "q" }));
    let other = server.anonymous().submit(&json!({ "job_queue": "q" }));
    let (dead, alive) = (server.agent("dead"), server.agent("alive"));
    let path = |job: &str| format!("/v1/result/{job}");
    assert_eq!(dead.claim("q").as_ref(), Some(&job));
    assert_eq!(alive.claim("q").as_ref(), Some(&other));
    assert_eq!(dead.post(&path(&job), &json!({ "job_state": "provision" })).status, 200);
    server.pass(Duration::from_mins(31));
    assert_eq!(alive.post(&path(&other), &json!({ "job_state": "test" })).status, 200);
    until("the job has ended", || server.anonymous().state(&job) == "cancelled");
    let output = server.anonymous().get(&format!("/v1/result/{job}/output"));
    assert!(output.text().ends_with("the job was ended: its agent fell silent\n"));
    assert_eq!(server.anonymous().state(&other), "test");
}

/// Waits until the server has looked after all jobs once more, with the clock as it is now and for one minute longer.
fn is_looked_after(server: &TestServer) {
    // Whatever else is due is done before such a job of the next look ends.
    for _ in 0..2 {
        let job = json!({ "job_queue": "nobody", "queue_timeout": 29 });
        let job = server.anonymous().submit(&job);
        server.pass(Duration::from_secs(30));
        until("the job has ended", || server.anonymous().state(&job) == "cancelled");
    }
}

#[test]
fn a_clock_that_is_set_takes_no_job_from_its_agent_and_hides_no_silence() {
    for step in [TestServer::step_ahead, TestServer::step_back] {
        let server = TestServer::start();
        let submit = || server.anonymous().submit(&json!({ "job_queue": "q" }));
        let (running, claimed) = (submit(), submit());
        let (rig, slow) = (server.agent("rig"), server.agent("slow"));
        assert_eq!(rig.claim("q").as_ref(), Some(&running));
        let path = format!("/v1/result/{running}");
        assert_eq!(rig.post(&path, &json!({ "job_state": "test" })).status, 200);
        assert_eq!(slow.claim("q").as_ref(), Some(&claimed));
        step(&server, Duration::from_hours(12));
        is_looked_after(&server);
        assert_eq!(server.anonymous().state(&running), "test");
        assert_eq!(server.agent("other").claim("q"), None);
        server.pass(Duration::from_secs(121));
        is_looked_after(&server);
        assert_eq!(server.agent("other").claim("q").as_ref(), Some(&claimed));
        server.pass(Duration::from_mins(31));
        until("the job has ended", || server.anonymous().state(&running) == "cancelled");
    }
}

#[test]
fn a_job_that_nobody_took_in_time_ends() {
    let server = TestServer::start();
    let job = json!({ "job_queue": "q", "queue_timeout": 60 });
    let job = server.anonymous().submit(&job);
    server.pass(Duration::from_secs(61));
    until("the job has ended", || server.anonymous().state(&job) == "cancelled");
    assert_eq!(server.agent("a").claim("q"), None);
}
