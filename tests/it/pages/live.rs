use serde_json::json;
use testflinger_server::config::{Count, Mode, Pages, Raw};

use super::{enrol, open, session};
use crate::support::auth::SECRET;
use crate::support::{Caller, TestServer};

fn say(agent: &Caller, job: &str, number: i64, text: &str) {
    let fragment = json!({
        "fragment_number": number, "timestamp": "2026-11-23T12:00:00+00:00", "phase": "test", "log_data": text,
    });
    assert_eq!(agent.post(&format!("/v1/result/{job}/log/output"), &fragment).status, 200);
}

#[test]
fn a_page_that_has_not_changed_is_not_sent_again() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let first = anyone.get("/jobs");
    let tag = first.header("ETag").unwrap().to_owned();
    let again = || anyone.clone().header("If-None-Match", &tag).get("/jobs");
    assert_eq!(again().status, 304);
    anyone.submit(&json!({ "job_queue": "q" }));
    assert_eq!(again().status, 200);
}

#[test]
fn an_open_page_is_told_when_it_is_out_of_date() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    anyone.submit(&json!({ "job_queue": "q" }));
    let agents = anyone.get("/agents");
    let mut stream = open(&server, agents.text(), "");
    let id = anyone.submit(&json!({ "job_queue": "q" }));
    let told = stream.next().unwrap();
    assert_eq!((told.name.as_str(), &told.data["look"]), ("message", &json!(true)));
    // Where it was told that, it is not told again.
    let again = anyone.get("/agents");
    assert!(again.text().contains(&format!("data-place=\"{}\"", told.id.as_ref().unwrap())));
    assert_eq!(again.header("ETag"), agents.header("ETag"), "the place is not what a page shows");
    let mut stream = open(&server, again.text(), "");
    anyone.post(&format!("/v1/job/{id}/action"), &json!({ "action": "cancel" }));
    assert_eq!(stream.next().unwrap().data["look"], json!(true));
}

#[test]
fn an_open_page_of_a_job_is_told_what_its_logs_grow_by_and_when_it_ends() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let agent = enrol(&server, "rig", &json!({ "state": "waiting", "queues": ["q"] }));
    let id = anyone.submit(&json!({ "job_queue": "q" }));
    agent.claim("q");
    let say = |number: i64, text: &str| say(&agent, &id, number, text);
    say(0, "one\n");
    let shown = anyone.get(&format!("/jobs/{id}"));
    assert!(shown.text().contains("data-grows>one\n</pre>"), "{}", shown.text());
    let mut stream = open(&server, shown.text(), "");
    say(1, "two\n");
    let told = stream.next().unwrap();
    assert_eq!(told.data["logs"], json!([["test-output", "two\n"]]));
    assert_eq!(told.data["look"], json!(false));
    say(2, "three\n");
    assert_eq!(stream.next().unwrap().data["logs"], json!([["test-output", "three\n"]]));
    let header = format!("Last-Event-ID: {}\r\n", told.id.unwrap());
    let back = open(&server, shown.text(), &header).next().unwrap();
    assert_eq!(back.data["logs"], json!([["test-output", "three\n"]]));
    agent.post(&format!("/v1/result/{id}"), &json!({ "job_state": "complete" }));
    assert_eq!(stream.next().unwrap().data["look"], json!(true));
    assert_eq!(stream.next().unwrap().data["end"], json!(true));
    assert_eq!(stream.next(), None);
    let path = format!("/jobs/{id}/log/output/test");
    assert!(!anyone.get(&format!("/jobs/{id}")).text().contains("data-stream"));
    assert_eq!(anyone.get(&path).text(), "one\ntwo\nthree\n");
    let found = anyone.get(&format!("{path}?find=TWO"));
    assert!(found.text().contains("<mark>two</mark>"), "{}", found.text());
    let download = anyone.get(&format!("{path}?download=1"));
    assert!(download.header("Content-Disposition").unwrap().starts_with("attachment; filename="));
}

#[test]
fn while_a_job_waits_its_page_is_told_of_the_lab() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let id = anyone.submit(&json!({ "job_queue": "q" }));
    let mut stream = open(&server, anyone.get(&format!("/jobs/{id}")).text(), "");
    let agent = enrol(&server, "rig", &json!({ "state": "waiting", "queues": ["q"] }));
    let told = stream.next().unwrap();
    assert_eq!((&told.data["look"], told.id), (&json!(true), None));
    agent.claim("q");
    while stream.next().unwrap().id.is_none() {}
    anyone.submit(&json!({ "job_queue": "q" }));
    say(&agent, &id, 0, "one\n");
    assert_eq!(stream.next().unwrap().data["logs"], json!([["test-output", "one\n"]]));
}

#[test]
fn a_stream_follows_the_login_and_ends_with_the_session() {
    let raw = Raw { access: Some(Mode::Locked), ..Raw::default() };
    let server = TestServer::with(raw);
    let me = server.client("me", "contributor");
    for path in ["/stream", "/jobs/00000000-0000-0000-0000-000000000000/stream"] {
        let answer = server.anonymous().get(path);
        assert_eq!(answer.status, 303, "{path}");
    }
    me.submit(&json!({ "job_queue": "q" }));
    let cookie = session(&server, "me", SECRET);
    let shown = server.anonymous().header("Cookie", &cookie).get("/jobs");
    let mut stream = open(&server, shown.text(), &format!("Cookie: {cookie}\r\n"));
    me.submit(&json!({ "job_queue": "q" }));
    assert!(stream.next().is_some());
    server.local().send("DELETE", "/v1/client-permissions/me", None);
    server.client("other", "contributor").submit(&json!({ "job_queue": "q" }));
    assert_eq!(stream.next(), None);
}

#[test]
fn a_screen_on_the_wall_has_streams() {
    let raw = Raw { access: Some(Mode::Locked), pages: Some(Pages::ReadOnly), ..Raw::default() };
    let server = TestServer::with(raw);
    let mut stream = open(&server, server.anonymous().get("/").text(), "");
    server.client("me", "contributor").submit(&json!({ "job_queue": "q" }));
    assert_eq!(stream.next().unwrap().data["look"], json!(true));
}

#[test]
fn a_page_too_many_gets_no_stream_and_is_there_all_the_same() {
    let server = TestServer::with(Raw { max_watchers: Some(Count(1)), ..Raw::default() });
    let shown = server.anonymous().get("/jobs");
    let first = open(&server, shown.text(), "");
    assert_eq!(first.status(), "200");
    assert_eq!(open(&server, shown.text(), "").status(), "503");
    assert_eq!(server.anonymous().get("/jobs").status, 200);
}

#[test]
fn an_odd_place_is_refused() {
    let server = TestServer::start();
    let id = server.anonymous().submit(&json!({ "job_queue": "q" }));
    for path in ["/stream".to_owned(), format!("/jobs/{id}/stream")] {
        let answer = server.anonymous().get(&format!("{path}?last_event_id=odd"));
        assert_eq!(answer.status, 400, "{path}");
    }
}

/// The parts of a log, each of which consists of whole lines.
#[track_caller]
fn all_parts(anyone: &Caller, path: &str) -> String {
    let view = anyone.get(&format!("{path}?view=1"));
    let count = view.text().matches("data-part=").count();
    assert!(count > 1, "{count}");
    assert_eq!(anyone.get(&format!("{path}?part={count}")).status, 404);
    let part = |number: usize| {
        let text = anyone.get(&format!("{path}?part={number}")).text().to_owned();
        assert!(text.ends_with('\n') && text.len() < 1 << 20, "{number}: {}", text.len());
        text
    };
    (0..count).map(part).collect()
}

#[test]
fn a_log_of_many_fragments_is_there_part_by_part() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let agent = enrol(&server, "rig", &json!({ "state": "waiting", "queues": ["q"] }));
    let id = anyone.submit(&json!({ "job_queue": "q" }));
    agent.claim("q");
    let texts: Vec<String> =
        (0..40).map(|n| format!("{n} of\nmany {}\nand", "x".repeat(30_000))).collect();
    for (number, text) in (0..).zip(&texts) {
        say(&agent, &id, number, text);
    }
    say(&agent, &id, 40, " the end\n");
    let path = format!("/jobs/{id}/log/output/test");
    assert_eq!(all_parts(&anyone, &path), texts.concat() + " the end\n");
}

#[test]
fn a_large_log_is_shown_from_its_end_and_sent_whole() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let agent = enrol(&server, "rig", &json!({ "state": "waiting", "queues": ["q"] }));
    let id = anyone.submit(&json!({ "job_queue": "q" }));
    agent.claim("q");
    let lines = (0..60_000)
        .map(|line| format!("\u{1b}[0m line {line} \u{e9}\n"))
        .collect::<Vec<_>>()
        .concat();
    let posted = json!({ "job_state": "complete", "test_output": lines });
    assert_eq!(agent.post(&format!("/v1/result/{id}"), &posted).status, 200);
    let shown = anyone.get(&format!("/jobs/{id}"));
    assert!(shown.body.len() < 200_000, "{}", shown.body.len());
    assert!(shown.text().contains("line 59999 \u{e9}\n</pre>"));
    assert!(shown.text().contains("This is the end of the log;"));
    let path = format!("/jobs/{id}/log/output/test");
    assert_eq!(anyone.get(&path).text(), lines);
    assert_eq!(all_parts(&anyone, &path), lines);
    let found = anyone.get(&format!("{path}?find=line+59999"));
    let (_, part) = found.text().split_once("?view=1#part-").unwrap();
    let number = part.split_once('"').unwrap().0;
    assert!(anyone.get(&format!("{path}?part={number}")).text().contains("line 59999"));
}
