use serde_json::json;

use super::enrol;
use crate::support::TestServer;

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
fn a_log_that_grows_is_read_on_from_where_a_reader_is() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let agent = enrol(&server, "rig", &json!({ "state": "waiting", "queues": ["q"] }));
    let id = anyone.submit(&json!({ "job_queue": "q" }));
    agent.claim("q");
    let say = |number: i64, text: &str| {
        let fragment = json!({
            "fragment_number": number, "timestamp": "2026-11-23T12:00:00+00:00", "phase": "test", "log_data": text,
        });
        assert_eq!(agent.post(&format!("/v1/result/{id}/log/output"), &fragment).status, 200);
    };
    say(0, "one\n");
    let shown = anyone.get(&format!("/jobs/{id}"));
    assert!(shown.text().contains("data-from=\"1\">one\n</pre>"), "{}", shown.text());
    let path = format!("/jobs/{id}/log/output/test");
    let read = |from: &str| {
        let answer = anyone.get(&format!("{path}?from={from}"));
        (answer.text().to_owned(), answer.header("Log-Next").map(ToOwned::to_owned))
    };
    assert_eq!(read("1"), (String::new(), Some("1".to_owned())));
    say(1, "two\n");
    say(2, "three\n");
    assert_eq!(read("1"), ("two\nthree\n".to_owned(), Some("3".to_owned())));
    agent.post(&format!("/v1/result/{id}"), &json!({ "job_state": "complete" }));
    assert_eq!(read("3"), (String::new(), None));
    assert_eq!(anyone.get(&path).text(), "one\ntwo\nthree\n");
    let found = anyone.get(&format!("{path}?find=TWO"));
    assert!(found.text().contains("<mark>two</mark>"), "{}", found.text());
    let download = anyone.get(&format!("{path}?download=1"));
    assert!(download.header("Content-Disposition").unwrap().starts_with("attachment; filename="));
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
    assert!(shown.text().contains("This is the end of the log."));
    assert_eq!(anyone.get(&format!("/jobs/{id}/log/output/test")).text(), lines);
}
