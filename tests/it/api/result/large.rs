//! Results of many megabytes, and results that are too large.

use serde_json::{Value, json};
use testflinger_server::config::Raw;

use crate::support::{Connection, TestServer, ZERO};

/// Text that looks like a log and contains everything that JSON escapes.
fn log(size: usize) -> String {
    let line = "[ 12.345] \u{1b}[31merror\u{1b}[0m: \"quoted\" \\ back\ttab é 😀 \u{0}\r\n";
    let mut text = line.repeat(size / line.len() + 1);
    while text.len() > size {
        text.pop();
    }
    text
}

fn round_trip(size: usize) {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let path = format!("/v1/result/{}", anyone.submit(&json!({ "job_queue": "q" })));
    let text = log(size);
    let posted = json!({ "test_output": text, "test_status": 0 }).to_string();
    assert_eq!(anyone.json("POST", &path, &posted).seen(), (200, "OK".to_owned()));
    let value = anyone.get(&path).value();
    // `assert_eq` would print both, which nobody wants to read.
    assert!(value["test_output"] == Value::String(text), "the text of {size} bytes has changed");
    assert_eq!((&value["test_status"], &value["job_state"]), (&json!(0), &json!("waiting")));
}

#[test]
fn a_log_of_3_megabytes_comes_back_unchanged() {
    round_trip(3 << 20);
}

#[test]
fn a_log_of_40_megabytes_comes_back_unchanged() {
    round_trip(40 << 20);
}

#[test]
fn logs_around_the_size_of_a_piece_come_back_unchanged() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let path = format!("/v1/result/{ZERO}");
    for size in [0, 32 * 1024 - 3, 32 * 1024 - 2, 32 * 1024, 128 * 1024 - 2, 128 * 1024, 262_143] {
        let posted = json!({ "test_output": "x".repeat(size) });
        anyone.post(&path, &posted);
        assert!(anyone.get(&path).value() == posted, "{size} bytes");
    }
}

#[test]
fn several_large_members_and_small_ones_between_come_back_unchanged() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let path = format!("/v1/result/{ZERO}");
    let large = "y".repeat(300_000);
    let posted =
        json!({ "a": large, "b": 1, "c": [large, 2], "d": large, "test": "t", "test2": large });
    anyone.post(&path, &posted);
    assert!(anyone.get(&path).value() == posted);
    anyone.post(&path, &json!({ "a": 1, "c": 2, "d": 3, "test2": 4 }));
    let small = json!({ "a": 1, "b": 1, "c": 2, "d": 3, "test": "t", "test2": 4 });
    assert_eq!(anyone.get(&path).value(), small);
}

fn small_limit() -> TestServer {
    let raw = Raw { max_result_size: Some("64KiB".parse().unwrap()), ..Raw::default() };
    TestServer::with(raw)
}

#[test]
fn a_body_that_says_that_it_is_too_large_is_refused_before_it_is_sent() {
    let server = small_limit();
    let mut connection = Connection::open(&server.url());
    let target = format!("POST /v1/result/{ZERO}");
    connection.begin(&target, "application/json", "Content-Length: 65537");
    let (status, body) = connection.answer();
    assert_eq!(status, 413);
    assert_eq!(body, "{\"detail\":{},\"message\":\"Payload too large\"}\n");
    assert_eq!(server.anonymous().get(&format!("/v1/result/{ZERO}")).status, 204);
}

#[test]
fn a_result_of_exactly_the_limit_passes() {
    let server = small_limit();
    let result = |filler: usize| json!({ "test_output": "x".repeat(filler) });
    let overhead = result(0).to_string().len();
    let path = format!("/v1/result/{ZERO}");
    assert_eq!(server.anonymous().post(&path, &result(64 * 1024 - overhead)).status, 200);
}

#[test]
fn a_body_that_does_not_say_its_length_is_refused_when_it_is_too_large() {
    let server = small_limit();
    let mut connection = Connection::open(&server.url());
    let target = format!("POST /v1/result/{ZERO}");
    connection.begin(&target, "application/json", "Transfer-Encoding: chunked");
    connection.chunk(&vec![b' '; 60_000]);
    connection.chunk(&[b' '; 6_000]);
    assert_eq!(connection.answer().0, 413);
}

#[test]
fn a_body_that_breaks_off_changes_nothing() {
    let server = TestServer::start();
    let path = format!("/v1/result/{ZERO}");
    let mut connection = Connection::open(&server.url());
    connection.begin(&format!("POST {path}"), "application/json", "Content-Length: 100");
    connection.send(b"{\"test_status\": 1}");
    drop(connection);
    assert_eq!(server.anonymous().get(&path).status, 204);
}
