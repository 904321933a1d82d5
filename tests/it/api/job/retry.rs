//! A job whose provisioning failed goes to another agent.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Caller, Part, TestServer};

/// A server with agents that serve the queue `q`.
fn lab(agents: &[&str]) -> TestServer {
    let server = TestServer::start();
    for name in agents {
        enrol(&server, name, &json!({ "queues": ["q"], "state": "waiting" }));
    }
    server
}

fn enrol(server: &TestServer, name: &str, post: &Value) {
    assert_eq!(server.agent(name).post(&format!("/v1/agents/data/{name}"), post).status, 200);
}

fn report(agent: &Caller, job: &str, body: &Value) {
    assert_eq!(agent.post(&format!("/v1/result/{job}"), body).status, 200);
}

fn print(agent: &Caller, job: &str, number: i64, phase: &str, text: &str) {
    let fragment = json!({
        "fragment_number": number,
        "timestamp": "2026-11-23T12:00:00+00:00",
        "phase": phase,
        "log_data": text,
    });
    assert_eq!(agent.post(&format!("/v1/result/{job}/log/output"), &fragment).status, 200);
}

/// What an agent of 2026 says of a job whose provisioning fails, in its order.
fn fails(server: &TestServer, name: &str, job: &str) {
    let agent = server.agent(name);
    report(&agent, job, &json!({ "job_state": "provision" }));
    print(&agent, job, 0, "provision", &format!("{name} flashes\n"));
    print(&agent, job, 1, "provision", "no boot\n");
    report(&agent, job, &json!({ "status": { "provision": 46 } }));
    let log = json!({ "job_id": job, "exit_code": 46, "detail": "provision_fail" });
    assert_eq!(agent.post(&format!("/v1/agents/provision_logs/{name}"), &log).status, 200);
    print(&agent, job, 2, "cleanup", "clean\n");
    assert_eq!(
        agent.post(&format!("/v1/agents/data/{name}"), &json!({ "job_id": "" })).status,
        200
    );
    let artifact = format!("artifact of {name}");
    let path = format!("/v1/result/{job}/artifact");
    assert_eq!(agent.upload(&path, &[Part("file", artifact.as_bytes())]).status, 200);
    let end = json!({ "status": { "provision": 46, "cleanup": 0 }, "job_state": "complete" });
    report(&agent, job, &end);
}

fn status(caller: &Caller, job: &str) -> Value {
    caller.get(&format!("/v1/job/{job}/status")).value()
}

#[test]
fn a_job_that_failed_in_provisioning_goes_to_another_agent_and_its_tries_stay_apart() {
    let server = lab(&["a", "b"]);
    let anyone = server.anonymous();
    let job = anyone.submit(&json!({ "job_queue": "q", "retries": 1 }));
    assert_eq!(server.agent("a").claim("q").as_ref(), Some(&job));
    report(&server.agent("a"), &job, &json!({ "job_state": "provision" }));
    server.pass(Duration::from_mins(2));
    fails(&server, "a", &job);

    assert_eq!(anyone.state(&job), "waiting", "whoever polls goes on");
    assert_eq!(server.agent("a").claim("q"), None);
    let result = format!("/v1/result/{job}");
    assert_eq!(anyone.get(&result).value(), json!({ "job_state": "waiting" }));
    assert_eq!(anyone.get(&format!("{result}/artifact")).status, 204);
    let found = status(&anyone, &job);
    let tried = json!([{
        "agent": "a", "ended_at": "2026-11-23T12:02:00Z", "number": 1, "provision_status": 46,
        "started_at": "2026-11-23T12:00:00Z",
    }]);
    assert_eq!((&found["tries"], &found["retries"]), (&tried, &json!(1)));
    assert_eq!(found["waiting"]["counts"]["excluded"], 1);
    let last = found["history"].as_array().unwrap().last().unwrap();
    assert_eq!(last["why"], "provisioning failed on a with exit code 46");

    assert_eq!(server.agent("b").claim("q").as_ref(), Some(&job));
    print(&server.agent("b"), &job, 0, "provision", "b flashes\n");
    let end = json!({ "status": { "provision": 0, "test": 0 }, "job_state": "complete" });
    report(&server.agent("b"), &job, &end);
    let shown = anyone.get(&result).value();
    assert_eq!(
        shown,
        json!({
            "agent_id": "b", "job_state": "complete", "provision_output": "b flashes\n",
            "provision_status": 0, "test_status": 0,
        })
    );
    let first = anyone.get(&format!("{result}?try=1")).value();
    let sentence = "testflinger-server: provisioning failed on a with exit code 46; try 2 of 2 goes to another agent";
    let output = format!("a flashes\nno boot\n\n{sentence}\n");
    assert_eq!(
        first,
        json!({
            "agent_id": "a", "cleanup_output": "clean\n", "cleanup_status": 0, "job_state": "complete",
            "provision_output": output, "provision_status": 46,
        })
    );
    assert_eq!(anyone.get(&format!("{result}/artifact?try=1")).text(), "artifact of a");
    assert_eq!(anyone.get(&format!("{result}?try=2")).status, 204);
    assert_eq!(anyone.get(&format!("{result}/artifact?try=2")).status, 204);

    let log = |query: &str| {
        let answer = anyone.get(&format!("{result}/log/output?{query}"));
        answer.value()["output"]["provision"].clone()
    };
    assert_eq!(log("try=1")["log_data"], output);
    // Whoever followed the first try reads on: the second begins behind the last number of the first.
    assert_eq!(
        log("start_fragment=4"),
        json!({ "last_fragment_number": 4, "log_data": "b flashes\n" })
    );
    let drained = anyone.get(&format!("{result}/output"));
    assert!(drained.text().contains(sentence) && drained.text().ends_with("b flashes\n"));
}

#[test]
fn an_agent_that_reports_everything_at_the_end_is_replaced_as_well() {
    let server = lab(&["a", "b"]);
    let anyone = server.anonymous();
    let job = anyone.submit(&json!({ "job_queue": "q", "retries": 1 }));
    assert_eq!(server.agent("a").claim("q").as_ref(), Some(&job));
    let agent = server.agent("a");
    report(&agent, &job, &json!({ "job_state": "provision" }));
    let path = format!("/v1/result/{job}/output");
    assert_eq!(agent.send("POST", &path, b"a flashes\n").status, 200);
    let long = "x".repeat(300_000);
    let end = json!({
        "setup_status": 0, "provision_status": 1, "provision_output": "a flashes\n",
        "provision_serial": long, "cleanup_status": 0, "job_state": "complete",
    });
    report(&agent, &job, &end);
    // Its answer may be lost; the report comes again and still belongs to the first try.
    report(&agent, &job, &end);
    assert_eq!(anyone.state(&job), "waiting");
    assert_eq!(server.agent("b").claim("q").as_ref(), Some(&job));
    report(&server.agent("b"), &job, &json!({ "job_state": "test" }));
    report(&agent, &job, &end);
    print(&agent, &job, 7, "cleanup", "late\n");
    assert_eq!(anyone.state(&job), "test", "a late report ends nobody else's try");
    let result = format!("/v1/result/{job}");
    assert_eq!(anyone.get(&result).value(), json!({ "agent_id": "b", "job_state": "test" }));
    let first = anyone.get(&format!("{result}?try=1")).value();
    assert_eq!(
        (&first["provision_output"], &first["agent_id"]),
        (&json!("a flashes\n"), &json!("a"))
    );
    assert_eq!(first["provision_serial"], long.as_str());
}

#[test]
fn a_job_is_tried_as_often_as_it_says_and_then_ends_as_it_failed() {
    let server = lab(&["a", "b", "c"]);
    let anyone = server.anonymous();
    let job = anyone.submit(&json!({ "job_queue": "q", "retries": 1 }));
    for agent in ["a", "b"] {
        assert_eq!(server.agent(agent).claim("q").as_ref(), Some(&job));
        fails(&server, agent, &job);
    }
    assert_eq!(anyone.state(&job), "complete");
    let found = status(&anyone, &job);
    assert_eq!(found["tries"].as_array().unwrap().len(), 1);
    let last = found["history"].as_array().unwrap().last().unwrap();
    let why = "provisioning failed and is not tried again: it was tried 2 times";
    assert_eq!((&last["to"], &last["why"]), (&json!("complete"), &json!(why)));
    let shown = anyone.get(&format!("/v1/result/{job}")).value();
    assert_eq!(shown["provision_status"], 46);
    assert!(shown["provision_output"].as_str().unwrap().ends_with(&format!("{why}\n")));
}

#[test]
fn a_job_ends_when_no_other_agent_of_its_queue_is_in_service() {
    let server = lab(&["a", "b", "c"]);
    enrol(&server, "b", &json!({ "state": "offline", "comment": "broken" }));
    let anyone = server.anonymous();
    let job = anyone.submit(&json!({ "job_queue": "q", "retries": 3, "exclude_agents": ["c"] }));
    assert_eq!(server.agent("a").claim("q").as_ref(), Some(&job));
    fails(&server, "a", &job);
    assert_eq!(anyone.state(&job), "complete");
    let history = status(&anyone, &job)["history"].clone();
    let why =
        "provisioning failed and is not tried again: no other agent of its queue is in service";
    assert_eq!(history.as_array().unwrap().last().unwrap()["why"], why);
}

#[test]
fn only_provisioning_is_tried_again_and_only_on_request() {
    let server = lab(&["a", "b"]);
    let anyone = server.anonymous();
    let plain = anyone.submit(&json!({ "job_queue": "q" }));
    assert_eq!(server.agent("a").claim("q").as_ref(), Some(&plain));
    fails(&server, "a", &plain);
    assert_eq!(anyone.state(&plain), "complete", "off by default");
    let tested = anyone.submit(&json!({ "job_queue": "q", "retries": 1 }));
    assert_eq!(server.agent("a").claim("q").as_ref(), Some(&tested));
    let end = json!({ "status": { "provision": 0, "test": 1 }, "job_state": "complete" });
    report(&server.agent("a"), &tested, &end);
    assert_eq!(anyone.state(&tested), "complete", "a test that fails tells something");
}

#[test]
fn a_cancelled_job_is_never_tried_again() {
    let server = lab(&["a", "b"]);
    let anyone = server.anonymous();
    let job = anyone.submit(&json!({ "job_queue": "q", "retries": 1 }));
    let cancel = |job: &str| {
        let path = format!("/v1/job/{job}/action");
        assert_eq!(anyone.post(&path, &json!({ "action": "cancel" })).status, 200);
    };
    assert_eq!(server.agent("a").claim("q").as_ref(), Some(&job));
    report(&server.agent("a"), &job, &json!({ "job_state": "provision" }));
    cancel(&job);
    fails(&server, "a", &job);
    assert_eq!(anyone.state(&job), "cancelled");
    assert_eq!(server.agent("b").claim("q"), None);
    // Between two tries, too.
    let job = anyone.submit(&json!({ "job_queue": "q", "retries": 1 }));
    assert_eq!(server.agent("a").claim("q").as_ref(), Some(&job));
    fails(&server, "a", &job);
    cancel(&job);
    assert_eq!(server.agent("b").claim("q"), None);
    assert_eq!(anyone.state(&job), "cancelled");
}

#[test]
fn an_agent_without_a_name_cannot_be_told_from_another() {
    let server = lab(&["a", "b"]);
    let anyone = server.anonymous();
    let job = anyone.submit(&json!({ "job_queue": "q", "retries": 1 }));
    assert_eq!(anyone.claim("q").as_ref(), Some(&job));
    report(&anyone, &job, &json!({ "provision_status": 1, "job_state": "complete" }));
    assert_eq!(anyone.state(&job), "complete");
}

#[test]
fn a_queue_says_how_often_for_jobs_that_do_not() {
    let server = lab(&["a", "b"]);
    let (anyone, local) = (server.anonymous(), server.local());
    let set = |retries: i64| {
        local.send("PUT", "/admin/queues/q", Some(&json!({ "retries": retries }))).status
    };
    let list = || local.send("GET", "/admin/queues", None).value();
    assert_eq!((set(2), set(11)), (200, 422));
    assert_eq!(anyone.put("/admin/queues/q", &json!({ "retries": 1 })).status, 404);
    let own = anyone.submit(&json!({ "job_queue": "q", "retries": 0 }));
    let job = anyone.submit(&json!({ "job_queue": "q" }));
    let other = anyone.submit(&json!({ "job_queue": "other" }));
    let retries = |job: &str| status(&anyone, job)["retries"].clone();
    assert_eq!([retries(&own), retries(&job), retries(&other)], [json!(0), json!(2), json!(0)]);
    assert_eq!(list(), json!([{ "queue": "q", "retries": 2 }]));
    assert_eq!((set(0), list()), (200, json!([])));
}

#[test]
fn a_number_of_retries_has_a_limit() {
    let server = TestServer::start();
    for wrong in [json!(11), json!(-1), json!("2"), json!(true), json!(null)] {
        let answer =
            server.anonymous().post("/v1/job", &json!({ "job_queue": "q", "retries": wrong }));
        assert_eq!(answer.status, 422, "{wrong}");
    }
    let answer = server.anonymous().post("/v1/job", &json!({ "job_queue": "q", "retries": 10 }));
    assert_eq!(answer.status, 200);
}

#[test]
fn a_try_with_a_number_beyond_all_counts_was_never_made() {
    let server = lab(&["a"]);
    let anyone = server.anonymous();
    let job = anyone.submit(&json!({ "job_queue": "q" }));
    for (part, status) in [("?", 204), ("/artifact?", 204), ("/log/output?", 200)] {
        let answer = anyone.get(&format!("/v1/result/{job}{part}try=7974034896"));
        assert_eq!(answer.status, status, "{part}");
    }
}

#[test]
fn a_job_that_is_submitted_again_forgets_its_tries() {
    let server = lab(&["a", "b"]);
    let anyone = server.anonymous();
    let wish = json!({ "job_queue": "q", "retries": 1 });
    let job = anyone.submit(&wish);
    assert_eq!(server.agent("a").claim("q").as_ref(), Some(&job));
    fails(&server, "a", &job);
    assert_eq!(server.blob_files().len(), 1);
    let again = json!({ "job_queue": "q", "retries": 1, "job_id": job });
    assert_eq!(anyone.submit(&again), job);
    assert_eq!(anyone.get(&format!("/v1/result/{job}?try=1")).status, 204);
    assert_eq!(server.blob_files(), Vec::<String>::new());
    assert_eq!(server.agent("a").claim("q").as_ref(), Some(&job));
}

#[test]
fn the_next_try_waits_in_the_old_place_and_as_long_as_the_first() {
    let server = lab(&["a", "b"]);
    let anyone = server.anonymous();
    let wish = json!({ "job_queue": "q", "retries": 1, "queue_timeout": 600 });
    let job = anyone.submit(&wish);
    let behind = anyone.submit(&json!({ "job_queue": "q" }));
    assert_eq!(server.agent("a").claim("q").as_ref(), Some(&job));
    report(&server.agent("a"), &job, &json!({ "job_state": "provision" }));
    server.pass(Duration::from_mins(20));
    fails(&server, "a", &job);
    server.pass(Duration::from_mins(5));
    let position = anyone.get(&format!("/v1/job/{job}/position"));
    assert_eq!(position.text(), "0");
    assert_eq!(server.agent("b").claim("q").as_ref(), Some(&job));
    assert_eq!(server.agent("a").claim("q").as_ref(), Some(&behind));
    let waits = anyone.get("/v1/queues/wait_times?queue=q").value();
    assert_eq!(waits["q"]["50"], json!(300.0), "0 s, 5 min and 25 min: {waits}");
}
