//! Whoever watches a job is told what happens to it.

use serde_json::{Value, json};
use testflinger_server::config::{Count, Raw};

use crate::support::{Caller, Events, TestServer, ZERO};

fn watch(server: &TestServer, job: &str) -> Events {
    Events::open(&server.url(), &format!("/v1/job/{job}/stream"), "")
}

fn back(server: &TestServer, job: &str, id: &str) -> Events {
    let header = format!("Last-Event-ID: {id}\r\n");
    Events::open(&server.url(), &format!("/v1/job/{job}/stream"), &header)
}

fn log(agent: &Caller, job: &str, number: i64, phase: &str, text: &str) {
    let fragment = json!({
        "fragment_number": number, "timestamp": "2026-11-23T12:00:00+00:00", "phase": phase,
        "log_data": text,
    });
    assert_eq!(agent.post(&format!("/v1/result/{job}/log/output"), &fragment).status, 200);
}

fn report(agent: &Caller, job: &str, state: &str) {
    let answer = agent.post(&format!("/v1/result/{job}"), &json!({ "job_state": state }));
    assert_eq!(answer.status, 200);
}

#[test]
fn a_watcher_is_told_what_happens_as_it_happens_until_the_job_ends() {
    let server = TestServer::start();
    let job = server.anonymous().submit(&json!({ "job_queue": "q" }));
    let mut watch = watch(&server, &job);
    assert!(watch.head.contains("content-type: text/event-stream\r\n"), "{}", watch.head);
    let event = watch.next().unwrap();
    assert_eq!((event.name.as_str(), &event.data["to"]), ("change", &json!("waiting")));
    let agent = server.agent("rig");
    assert_eq!(agent.claim("q").as_ref(), Some(&job));
    let (change, _) = watch.until("change");
    assert_eq!((&change["to"], &change["name"]), (&json!("running"), &json!("rig")));
    report(&agent, &job, "test");
    assert_eq!(watch.until("change").0["to"], "test");
    log(&agent, &job, 0, "test", "hello\n");
    assert_eq!(watch.until("output").0, json!({ "phase": "test", "text": "hello\n" }));
    let serial = server.anonymous().clone().header("Content-Type", "text/plain");
    serial.send("POST", &format!("/v1/result/{job}/serial_output"), b"boot");
    assert_eq!(watch.until("serial").0, json!({ "phase": "test", "text": "boot" }));
    report(&agent, &job, "complete");
    assert_eq!(watch.until("change").0["to"], "complete");
    assert_eq!(watch.until("end").0, json!({ "job_state": "complete" }));
    assert_eq!(watch.next(), None);
}

#[test]
fn whoever_comes_back_is_told_what_came_after_and_nothing_when_that_is_nothing() {
    let server = TestServer::start();
    let job = server.anonymous().submit(&json!({ "job_queue": "q" }));
    let agent = server.agent("rig");
    assert_eq!(agent.claim("q").as_ref(), Some(&job));
    log(&agent, &job, 0, "setup", "one\n");
    let (_, id) = watch(&server, &job).until("output");
    let id = id.unwrap();
    log(&agent, &job, 1, "setup", "two\n");
    log(&agent, &job, 2, "test", "three\n");
    report(&agent, &job, "complete");
    let mut again = back(&server, &job, &id);
    assert_eq!(again.next().unwrap().data["to"], "complete");
    assert_eq!(again.next().unwrap().data, json!({ "phase": "setup", "text": "two\n" }));
    assert_eq!(again.next().unwrap().data, json!({ "phase": "test", "text": "three\n" }));
    let end = again.next().unwrap();
    assert_eq!(end.name, "end");
    assert_eq!(back(&server, &job, &end.id.unwrap()).status(), "204");
    // A page says in its query where it was made.
    let path = format!("/v1/job/{job}/stream?last_event_id={id}");
    let mut page = Events::open(&server.url(), &path, "");
    assert_eq!(page.next().unwrap().data["to"], "complete");
}

#[test]
fn a_job_that_is_submitted_again_begins_anew() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let job = anyone.submit(&json!({ "job_queue": "q" }));
    let agent = server.agent("rig");
    assert_eq!(agent.claim("q").as_ref(), Some(&job));
    log(&agent, &job, 0, "test", "first\n");
    let mut watch = watch(&server, &job);
    watch.until("output");
    anyone.submit(&json!({ "job_id": job, "job_queue": "q" }));
    assert_eq!(watch.until("anew").0, json!({ "attempt": 2 }));
    assert_eq!(server.agent("other").claim("q").as_ref(), Some(&job));
    log(&server.agent("other"), &job, 0, "test", "second\n");
    assert_eq!(watch.until("output").0["text"], "second\n");
}

#[test]
fn bad_ids_and_unknown_jobs_are_refused() {
    let server = TestServer::start();
    assert_eq!(server.anonymous().get(&format!("/v1/job/{ZERO}/stream")).status, 404);
    let job = server.anonymous().submit(&json!({ "job_queue": "q" }));
    let answer = server.anonymous().get(&format!("/v1/job/{job}/stream?last_event_id=x"));
    assert_eq!((answer.status, answer.message()), (400, "Invalid Last-Event-ID".to_owned()));
    assert_eq!(server.anonymous().get("/v1/stream?last_event_id=x").status, 400);
}

#[test]
fn a_stream_is_never_compressed() {
    let server = TestServer::start();
    let job = server.anonymous().submit(&json!({ "job_queue": "q" }));
    let gzip = "Accept-Encoding: gzip\r\n";
    for path in [format!("/v1/job/{job}/stream"), "/v1/stream".to_owned()] {
        let events = Events::open(&server.url(), &path, gzip);
        assert!(!events.head.contains("content-encoding"), "{}", events.head);
        assert!(events.head.contains("cache-control: no-cache"), "{}", events.head);
    }
}

#[test]
fn a_long_log_arrives_whole_and_in_order() {
    let server = TestServer::start();
    let job = server.anonymous().submit(&json!({ "job_queue": "q" }));
    let agent = server.agent("rig");
    assert_eq!(agent.claim("q").as_ref(), Some(&job));
    let mut posted = String::new();
    for number in 0..40 {
        let text = format!("{number} {}\n", "x".repeat(20_000));
        log(&agent, &job, number, if number < 20 { "setup" } else { "test" }, &text);
        posted.push_str(&text);
    }
    report(&agent, &job, "complete");
    let (mut watch, mut told) = (watch(&server, &job), String::new());
    while let Some(event) = watch.next() {
        if event.name == "output" {
            told.push_str(event.data["text"].as_str().unwrap());
        }
    }
    assert!(told == posted, "{} of {} bytes", told.len(), posted.len());
}

#[test]
fn one_address_gets_half_of_the_places_of_watchers() {
    let server = TestServer::with(Raw { max_watchers: Some(Count(4)), ..Raw::default() });
    let job = server.anonymous().submit(&json!({ "job_queue": "q" }));
    let (first, _second) = (watch(&server, &job), watch(&server, &job));
    let answer = server.anonymous().get(&format!("/v1/job/{job}/stream"));
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    drop(first);
    // The server notices when it next has something to say, or after a while.
    server.anonymous().post(&format!("/v1/job/{job}/action"), &json!({ "action": "cancel" }));
    crate::support::until("a place is free", || watch(&server, &job).status() == "200");
}

#[test]
fn a_server_that_stops_ends_its_streams() {
    let mut server = TestServer::start();
    let job = server.anonymous().submit(&json!({ "job_queue": "q" }));
    let mut watch = watch(&server, &job);
    let mut lab = Events::open(&server.url(), "/v1/stream", "");
    watch.until("change");
    server.restart();
    assert_eq!((watch.next(), lab.next()), (None, None));
}

#[test]
fn a_thousand_watchers_are_told_the_same() {
    let server = TestServer::with(Raw { max_watchers: Some(Count(2000)), ..Raw::default() });
    let job = server.anonymous().submit(&json!({ "job_queue": "q" }));
    let agent = server.agent("rig");
    assert_eq!(agent.claim("q").as_ref(), Some(&job));
    let mut watchers: Vec<Events> = (0..1000).map(|_| watch(&server, &job)).collect();
    log(&agent, &job, 0, "test", "hello\n");
    report(&agent, &job, "complete");
    for watcher in &mut watchers {
        assert_eq!(watcher.until("output").0["text"], "hello\n");
        assert_eq!(watcher.until("end").0["job_state"], "complete");
    }
}

#[test]
fn the_lab_is_told_of_jobs_and_agents_and_whoever_comes_back_goes_on() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let before = anyone.submit(&json!({ "job_queue": "q" }));
    let lab = |id: &str| Events::open(&server.url(), &format!("/v1/stream?last_event_id={id}"), "");
    let mut watch = lab("");
    let job = anyone.submit(&json!({ "job_queue": "q" }));
    let event = watch.next().unwrap();
    assert_ne!(event.data["job_id"], before.as_str());
    assert_eq!(
        (event.name.as_str(), event.data),
        (
            "job",
            json!({
                "change": {
                    "at": "2026-11-23T12:00:00Z", "by": "anonymous", "change": "state",
                    "to": "waiting", "why": "submitted",
                },
                "job_id": job,
            })
        )
    );
    let state = |state: &str| {
        server.agent("rig").post("/v1/agents/data/rig", &json!({ "state": state }));
    };
    state("waiting");
    state("offline");
    let told = watch.next().unwrap();
    assert_eq!((told.name.as_str(), &told.data["agent"]), ("agent", &json!("rig")));
    let mut again = lab(&told.id.unwrap());
    assert_eq!(again.next().unwrap().data["change"]["to"], "offline");
    assert_eq!(lab("1").next().unwrap().name, "missed");
    let told: Value = watch.next().unwrap().data;
    assert_eq!(told["change"]["from"], "waiting");
}
