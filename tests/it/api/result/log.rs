//! Logs in both forms, and each form read in the other.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Caller, Connection, TestServer, ZERO};

/// Fragments of a long log, a megabyte each.
const FRAGMENTS: i64 = 8;

fn fragment(number: i64, phase: &str, text: &str) -> Value {
    json!({
        "fragment_number": number,
        "timestamp": "2026-01-01T00:00:00+00:00",
        "phase": phase,
        "log_data": text,
    })
}

struct Log<'a> {
    anyone: &'a Caller,
    path: String,
}

impl Log<'_> {
    #[track_caller]
    fn post(&self, fragment: &Value) {
        assert_eq!(self.anyone.post(&self.path, fragment).seen(), (200, "OK".to_owned()));
    }

    /// The last number and the text of a phase.
    #[track_caller]
    fn phase(&self, phase: &str, query: &str) -> (i64, String) {
        let answer = self.anyone.get(&format!("{}{query}", self.path));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let kind = self.path.rsplit('/').next().unwrap();
        let found = &answer.value()[kind][phase];
        (
            found["last_fragment_number"].as_i64().unwrap(),
            found["log_data"].as_str().unwrap().to_owned(),
        )
    }
}

fn log<'a>(anyone: &'a Caller, job: &str, kind: &str) -> Log<'a> {
    Log { anyone, path: format!("/v1/result/{job}/log/{kind}") }
}

#[test]
fn fragments_are_read_from_a_number_on_as_often_as_one_likes() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    for kind in ["output", "serial"] {
        let log = log(&anyone, ZERO, kind);
        log.post(&fragment(1, "test", "B\n"));
        log.post(&fragment(0, "test", "A\n"));
        log.post(&fragment(2, "setup", "S\u{e9}\n"));
        let all = anyone.get(&log.path).value();
        assert_eq!(all[kind].as_object().unwrap().len(), 7, "all phases");
        assert_eq!(log.phase("test", ""), (1, "A\nB\n".to_owned()));
        assert_eq!(log.phase("setup", ""), (2, "S\u{e9}\n".to_owned()));
        assert_eq!(log.phase("cleanup", ""), (-1, String::new()));
        assert_eq!(log.phase("test", "?start_fragment=1"), (1, "B\n".to_owned()));
        assert_eq!(log.phase("test", "?start_fragment=2"), (-1, String::new()));
        let one = anyone.get(&format!("{}?phase=setup", log.path)).value();
        assert_eq!(one[kind].as_object().unwrap().len(), 1, "only the phase that was asked for");
    }
}

#[test]
fn fragments_are_read_from_a_time_on_however_it_is_written() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let log = log(&anyone, ZERO, "output");
    log.post(&fragment(0, "test", "old\n"));
    let mut new = fragment(1, "test", "new\n");
    new["timestamp"] = json!("2026-02-01T00:00:00.123456Z");
    log.post(&new);
    for since in [
        "2026-01-15T00:00:00Z",
        "2026-01-15T00:00:00%2B00:00",
        "2026-01-15T00:00:00+00:00",
        "2026-01-15T00:00:00",
        "2026-01-15T00:00:00.5Z",
    ] {
        let query = format!("?start_timestamp={since}");
        assert_eq!(log.phase("test", &query), (1, "new\n".to_owned()), "{since}");
    }
}

#[test]
fn a_fragment_that_is_sent_again_is_kept_once_and_another_text_beside_it() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let log = log(&anyone, ZERO, "output");
    for text in ["A\n", "A\n", "B\n", "A\n", "B\n"] {
        log.post(&fragment(0, "test", text));
    }
    assert_eq!(log.phase("test", ""), (0, "A\nB\n".to_owned()));
    let drained = anyone.get(&format!("/v1/result/{ZERO}/output"));
    assert_eq!(drained.seen(), (200, "A\n\nB\n".to_owned()));
}

#[test]
fn all_that_is_wrong_with_a_fragment_or_a_query_is_said_at_once() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let path = log(&anyone, ZERO, "output").path;
    let bad =
        json!({ "fragment_number": "x", "timestamp": "x", "phase": "nap", "log_data": 1, "zz": 1 });
    let answer = anyone.post(&path, &bad);
    assert_eq!(answer.status, 422);
    let errors = answer.value()["detail"]["json"].as_object().unwrap().clone();
    assert_eq!(
        errors.keys().collect::<Vec<_>>(),
        ["fragment_number", "log_data", "phase", "timestamp", "zz"]
    );
    let missing = anyone.post(&path, &json!({})).value()["detail"]["json"].clone();
    assert_eq!(missing.as_object().unwrap().len(), 4);
    for (query, key, message) in [
        ("start_fragment=-1", "start_fragment", "Must be greater than or equal to 0."),
        ("start_fragment=x", "start_fragment", "Not a valid integer."),
        ("start_timestamp=yesterday", "start_timestamp", "Not a valid datetime."),
        ("zz=1", "zz", "Unknown field."),
    ] {
        let answer = anyone.get(&format!("{path}?{query}"));
        assert_eq!(answer.status, 400);
        assert_eq!(answer.value()["message"], json!({ key: [message] }), "{query}");
    }
    assert_eq!(anyone.get(&format!("{path}?phase=nap")).status, 400);
    assert_eq!(anyone.get("/v1/result/bad/log/output").message(), "Invalid job id\n");
    let post = anyone.post("/v1/result/bad/log/output", &fragment(0, "test", "x"));
    assert_eq!(post.message(), "Invalid job_id specified");
    assert_eq!(anyone.get(&format!("/v1/result/{ZERO}/log/other")).status, 404);
}

#[test]
fn text_is_read_once_with_lines_between_its_pieces() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    for kind in ["output", "serial_output"] {
        let path = format!("/v1/result/{ZERO}/{kind}");
        assert_eq!(anyone.get(&path).seen(), (204, String::new()));
        for piece in [&b"line one\n\xc3\xbcn"[..], b"two\n", b"a=b&c=d"] {
            assert_eq!(anyone.send("POST", &path, piece).seen(), (200, "OK".to_owned()));
        }
        assert_eq!(anyone.send("HEAD", &path, b"").status, 200, "a look forgets nothing");
        assert_eq!(anyone.get(&path).seen(), (200, "line one\n\u{fc}n\ntwo\n\na=b&c=d".to_owned()));
        assert_eq!(anyone.get(&path).seen(), (204, String::new()));
        assert_eq!(anyone.send("HEAD", &path, b"").status, 204);
        assert_eq!(anyone.send("POST", &path, b"").status, 200);
        assert_eq!(anyone.get(&path).seen(), (200, String::new()), "an empty piece is a piece");
        let bad = anyone.get(&format!("/v1/result/bad/{kind}"));
        assert_eq!(bad.seen(), (400, "Invalid job id\n".to_owned()));
        let bad = anyone.send("POST", &format!("/v1/result/bad/{kind}"), b"x");
        assert_eq!((bad.status, bad.message().as_str()), (400, "Invalid job_id specified"));
    }
}

#[test]
fn what_is_no_text_is_replaced_instead_of_refused() {
    let server = TestServer::start();
    let path = format!("/v1/result/{ZERO}/output");
    assert_eq!(server.anonymous().send("POST", &path, b"a\xff\xfeb").status, 200);
    assert_eq!(server.anonymous().get(&path).text(), "a\u{fffd}\u{fffd}b");
}

#[test]
fn a_reader_that_goes_away_in_the_middle_loses_nothing() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let path = format!("/v1/result/{ZERO}/output");
    let piece = "x".repeat(1 << 20);
    for _ in 0..12 {
        anyone.send("POST", &path, piece.as_bytes());
    }
    let mut reader = Connection::open(&server.url());
    reader.begin(&format!("GET {path}"), "text/plain", "X: y");
    drop(reader);
    let all = anyone.get(&path);
    assert_eq!((all.status, all.body.len()), (200, 12 * (1 << 20) + 11));
}

#[test]
fn what_an_older_agent_posts_a_newer_client_reads_and_the_other_way_round() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let job = anyone.submit(&json!({ "job_queue": "q" }));
    anyone.claim("q").unwrap();
    let result = format!("/v1/result/{job}");
    let (output, log) = (format!("{result}/output"), log(&anyone, &job, "output"));
    anyone.send("POST", &output, b"before any phase\n");
    anyone.post(&result, &json!({ "job_state": "provision" }));
    anyone.send("POST", &output, b"provisioning\n");
    log.post(&fragment(40, "test", "newer\n"));
    anyone.post(&result, &json!({ "job_state": "test" }));
    anyone.send("POST", &output, b"older\n");
    assert_eq!(log.phase("setup", ""), (0, "before any phase\n".to_owned()));
    assert_eq!(log.phase("provision", ""), (1, "provisioning\n".to_owned()));
    assert_eq!(log.phase("test", ""), (41, "newer\nolder\n".to_owned()), "numbers go on growing");
    let all = "before any phase\n\nprovisioning\n\nnewer\n\nolder\n";
    assert_eq!(anyone.get(&output).text(), all);
    assert_eq!(anyone.get(&result).value()["test_output"], "newer\nolder\n");
    anyone.post(&result, &json!({ "test_output": "posted whole" }));
    assert_eq!(anyone.get(&result).value()["test_output"], "posted whole", "it wins");
    let seen_by_agent = server.agent("rig").get(&result).value();
    assert_eq!(seen_by_agent, json!({ "job_state": "test" }), "an agent wants the state only");
}

#[test]
fn a_long_serial_log_comes_back_whole_and_compressed_for_whoever_asks() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let log = log(&anyone, ZERO, "serial");
    let line = "[    0.000000] Linux version \u{e9} \"quoted\" \\ \t\n";
    let text = line.repeat((1 << 20) / line.len());
    for number in 0..FRAGMENTS {
        log.post(&fragment(number, "test", &text));
    }
    let (last, all) = log.phase("test", "?phase=test");
    assert_eq!((last, all.len()), (FRAGMENTS - 1, text.len() * 8));
    assert!(all == text.repeat(8), "byte for byte");
    let mut asking = Connection::open(&server.url());
    asking.begin(&format!("GET {}", log.path), "text/plain", "Accept-Encoding: gzip");
    let (head, compressed) = asking.raw_answer();
    assert!(head.to_ascii_lowercase().contains("content-encoding: gzip"), "{head}");
    assert!(compressed < all.len() / 10, "{compressed}");
    let mut short = Connection::open(&server.url());
    short.begin(
        &format!("GET /v1/result/{ZERO}/log/output"),
        "text/plain",
        "Accept-Encoding: gzip",
    );
    assert!(!short.raw_answer().0.to_ascii_lowercase().contains("content-encoding"));
    server.pass(Duration::from_hours(5));
    assert_eq!(
        log.phase("test", "?phase=test").0,
        FRAGMENTS - 1,
        "fragments stay when the drain is emptied"
    );
}

/// Agents of 2025 post their text without a phase, and no state when they clean up.
#[test]
fn text_moves_to_the_phase_that_the_final_result_names_for_it() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let id = anyone.submit(&json!({ "job_queue": "q" }));
    let result = format!("/v1/result/{id}");
    let print = |text: &str| anyone.send("POST", &format!("{result}/output"), text.as_bytes());
    for (state, text) in [("test", "tested\n"), ("reserve", "cleaned \u{e9}\n")] {
        anyone.post(&result, &json!({ "job_state": state }));
        print(text);
    }
    print("up\n");
    assert_eq!(anyone.get(&result).value()["reserve_output"], "cleaned \u{e9}\nup\n");
    let last = json!({
        "test_output": "tested\n", "cleanup_output": "* cleanup *\ncleaned \u{e9}\nup\n", "job_state": "complete",
    });
    anyone.post(&result, &last);
    assert_eq!(anyone.get(&result).value(), last);
    let log = log(&anyone, &id, "output");
    assert_eq!(log.phase("reserve", ""), (-1, String::new()));
    assert_eq!(log.phase("cleanup", ""), (2, "cleaned \u{e9}\nup\n".to_owned()));
}

#[test]
fn text_that_the_final_result_does_not_repeat_stays_where_it_is() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let id = anyone.submit(&json!({ "job_queue": "q" }));
    let result = format!("/v1/result/{id}");
    anyone.post(&result, &json!({ "job_state": "provision" }));
    anyone.send("POST", &format!("{result}/output"), b"installed\n");
    anyone.post(&result, &json!({ "setup_output": "installed\n", "cleanup_output": "other\n" }));
    assert_eq!(anyone.get(&result).value()["provision_output"], "installed\n");
}
