use rustix::process::Signal;
use serde_json::json;

use crate::support::{BOUNDARY, Connection, Program, ZERO, part_head, until};

#[test]
fn sigterm_ends_it_well_and_the_data_is_there_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let mut program = Program::serve(dir.path());
    let id = program.anonymous().submit(&json!({ "job_queue": "q" }));
    program.signal(Signal::TERM);
    assert_eq!(program.wait().code(), Some(0));
    let program = Program::serve(dir.path());
    assert_eq!(program.anonymous().claim("q"), Some(id));
}

#[test]
fn sigint_ends_it_well_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut program = Program::serve(dir.path());
    program.signal(Signal::INT);
    assert_eq!(program.wait().code(), Some(0));
}

#[test]
fn a_request_in_flight_is_finished_before_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut program = Program::serve(dir.path());
    // An idle connection must not delay the end.
    let idle = Connection::open(&program.url);
    let path = format!("/v1/result/{ZERO}/artifact");
    let mut connection = Connection::open(&program.url);
    let (head, tail) = (part_head("file"), format!("\r\n--{BOUNDARY}--\r\n"));
    let length = head.len() + 8 + tail.len();
    connection.begin_upload(&path, &format!("Content-Length: {length}"));
    connection.send(head.as_bytes());
    connection.send(b"half");
    let blobs = dir.path().join("blobs");
    until("the upload is under way", || std::fs::read_dir(&blobs).unwrap().count() == 1);
    program.signal(Signal::TERM);
    let said = |program: &Program| program.log().iter().any(|line| line.contains("SIGTERM"));
    until("the program stops", || said(&program));
    connection.send(b"half");
    connection.send(tail.as_bytes());
    assert_eq!(connection.answer(), (200, "OK".to_owned()));
    assert_eq!(program.wait().code(), Some(0));
    drop(idle);
    let program = Program::serve(dir.path());
    assert_eq!(program.anonymous().get(&path).text(), "halfhalf");
}

#[test]
fn a_connection_that_was_just_accepted_may_still_ask_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut program = Program::serve(dir.path());
    let mut early = Connection::open(&program.url);
    // Connections are accepted in turn: once this one is answered, the first is accepted too.
    assert_eq!(program.anonymous().get("/v1").status, 200);
    program.signal(Signal::TERM);
    let said = |program: &Program| program.log().iter().any(|line| line.contains("SIGTERM"));
    until("the program stops", || said(&program));
    early.begin("GET /v1", "text/plain", "Content-Length: 0");
    assert_eq!(early.answer().0, 200);
    assert_eq!(program.wait().code(), Some(0));
}

#[test]
fn a_server_that_stops_is_alive_and_not_ready() {
    let dir = tempfile::tempdir().unwrap();
    for (path, expected) in [("/healthz", 200), ("/readyz", 503)] {
        let mut program = Program::serve(dir.path());
        let mut early = Connection::open(&program.url);
        assert_eq!(program.anonymous().get(path).status, 200);
        program.signal(Signal::TERM);
        let said = |program: &Program| program.log().iter().any(|line| line.contains("SIGTERM"));
        until("the program stops", || said(&program));
        early.begin(&format!("GET {path}"), "text/plain", "Content-Length: 0");
        let (status, body) = early.answer();
        assert_eq!(status, expected, "{body}");
        if status == 503 {
            assert!(body.contains("Not ready: the server is stopping"), "{body}");
        }
        assert_eq!(program.wait().code(), Some(0));
    }
}
