use serde_json::json;
use testflinger_server::config::Raw;

use crate::support::{BOUNDARY, Connection, Part, TestServer, ZERO, part_head, until};

fn path() -> String {
    format!("/v1/result/{ZERO}/artifact")
}

fn bad_request(server: &TestServer, answer: &crate::support::Answer) {
    assert_eq!((answer.status, answer.message()), (400, "Bad Request".to_owned()));
    assert!(server.blob_files().is_empty());
}

#[test]
fn the_bytes_come_back_with_the_name_of_an_archive() {
    let server = TestServer::start();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    let anyone = server.anonymous();
    let answer = anyone.upload(&path(), &[Part("file", &bytes)]);
    assert_eq!(answer.seen(), (200, "OK".to_owned()));
    let answer = anyone.get(&path());
    assert_eq!(answer.status, 200);
    assert!(answer.body == bytes);
    for (name, value) in [
        ("content-type", "application/gzip"),
        ("content-length", "3000000"),
        ("content-disposition", "inline; filename=artifact.tar.gz"),
        ("cache-control", "no-cache"),
    ] {
        assert_eq!(answer.header(name), Some(value));
    }
    assert_eq!(answer.header("content-encoding"), None);
}

#[test]
fn the_newest_artifact_wins_and_the_old_file_goes() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    anyone.upload(&path(), &[Part("file", b"old")]);
    let old = server.blob_files();
    anyone.upload(&path(), &[Part("file", b"new")]);
    assert_eq!(anyone.get(&path()).text(), "new");
    let new = server.blob_files();
    assert_eq!((old.len(), new.len()), (1, 1));
    assert_ne!(old, new);
}

#[test]
fn an_empty_artifact_is_one() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    anyone.upload(&path(), &[Part("file", b"")]);
    assert_eq!(anyone.get(&path()).seen(), (200, String::new()));
}

#[test]
fn other_parts_are_passed_over() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let parts = [Part("note", b"n"), Part("file", b"f"), Part("file", b"second")];
    assert_eq!(anyone.upload(&path(), &parts).status, 200);
    assert_eq!(anyone.get(&path()).text(), "f");
}

#[test]
fn a_request_without_a_file_is_bad() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    bad_request(&server, &anyone.upload(&path(), &[]));
    bad_request(&server, &anyone.upload(&path(), &[Part("archive", b"x")]));
    bad_request(&server, &anyone.send("POST", &path(), b"bytes"));
    bad_request(&server, &anyone.post(&path(), &json!({ "file": "x" })));
    let kind = "multipart/form-data";
    bad_request(&server, &anyone.clone().header("Content-Type", kind).send("POST", &path(), b"x"));
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let anyone = anyone.header("Content-Type", &kind);
    bad_request(&server, &anyone.send("POST", &path(), b"no multipart at all"));
    bad_request(&server, &anyone.send("POST", &path(), part_head("file").as_bytes()));
}

#[test]
fn an_artifact_needs_an_id_and_no_job() {
    let server = TestServer::start();
    let answer = server.anonymous().upload("/v1/result/me/artifact", &[Part("file", b"x")]);
    assert_eq!(answer.seen(), (400, "Invalid job id\n".to_owned()));
    assert!(server.blob_files().is_empty());
}

fn small_limit() -> TestServer {
    TestServer::with(Raw { max_upload_size: Some("64KiB".parse().unwrap()), ..Raw::default() })
}

#[test]
fn a_file_over_the_limit_is_refused_before_it_is_sent() {
    let server = small_limit();
    let mut connection = Connection::open(&server.url());
    connection.begin_upload(&path(), "Content-Length: 70000");
    let (status, body) = connection.answer();
    assert_eq!(status, 413);
    assert!(body.starts_with("{\"detail\":{},"), "{body}");
    assert!(server.blob_files().is_empty());
}

#[test]
fn a_file_that_does_not_say_its_length_is_refused_at_the_limit() {
    let server = small_limit();
    let mut connection = Connection::open(&server.url());
    connection.begin_upload(&path(), "Transfer-Encoding: chunked");
    connection.chunk(part_head("file").as_bytes());
    connection.chunk(&vec![7; 60_000]);
    connection.chunk(&[7; 6_000]);
    assert_eq!(connection.answer().0, 413);
    until("the file is gone", || server.blob_files().is_empty());
}

#[test]
fn a_file_may_come_in_chunks() {
    let server = small_limit();
    let mut connection = Connection::open(&server.url());
    connection.begin_upload(&path(), "Transfer-Encoding: chunked");
    connection.chunk(part_head("file").as_bytes());
    connection.chunk(b"one ");
    connection.chunk(b"two");
    connection.chunk(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    connection.chunk(b"");
    assert_eq!(connection.answer(), (200, "OK".to_owned()));
    assert_eq!(server.anonymous().get(&path()).text(), "one two");
}

#[test]
fn an_aborted_upload_leaves_no_file() {
    let server = TestServer::start();
    for length in ["Content-Length: 4000000", "Transfer-Encoding: chunked"] {
        let mut connection = Connection::open(&server.url());
        connection.begin_upload(&path(), length);
        if length.starts_with('C') {
            connection.send(part_head("file").as_bytes());
            connection.send(&vec![0; 2_000_000]);
        } else {
            connection.chunk(part_head("file").as_bytes());
            connection.chunk(&vec![0; 2_000_000]);
        }
        until("the upload is under way", || server.blob_files().len() == 1);
        drop(connection);
        until("the file is gone", || server.blob_files().is_empty());
    }
    assert_eq!(server.anonymous().get(&path()).status, 204);
}

#[test]
fn an_aborted_upload_leaves_the_artifact_before_it() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    anyone.upload(&path(), &[Part("file", b"old")]);
    let mut connection = Connection::open(&server.url());
    connection.begin_upload(&path(), "Content-Length: 4000000");
    connection.send(part_head("file").as_bytes());
    connection.send(&vec![0; 100_000]);
    until("the upload is under way", || server.blob_files().len() == 2);
    drop(connection);
    until("its file is gone", || server.blob_files().len() == 1);
    assert_eq!(anyone.get(&path()).text(), "old");
}

#[test]
fn artifacts_outlive_a_restart() {
    let mut server = TestServer::start();
    server.anonymous().upload(&path(), &[Part("file", b"kept")]);
    server.restart();
    assert_eq!(server.anonymous().get(&path()).text(), "kept");
}

#[test]
fn who_is_refused_early_gets_the_answer_although_the_file_is_still_being_sent() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let file = vec![7; 4 << 20];
    for _ in 0..20 {
        let answer = anyone.upload("/v1/result/bad/artifact", &[Part("file", &file)]);
        assert_eq!(answer.seen(), (400, "Invalid job id\n".to_owned()));
    }
}

#[test]
fn an_uploader_that_leaves_before_its_answer_leaves_a_whole_artifact_or_none() {
    let server = TestServer::start();
    let job = |n: u64| format!("/v1/result/00000000-0000-4000-8000-{n:012}/artifact");
    let body = format!("{}bytes\r\n--{BOUNDARY}--\r\n", part_head("file"));
    for n in 0..300 {
        let mut connection = Connection::open(&server.url());
        connection.begin_upload(&job(n), &format!("Content-Length: {}", body.len()));
        connection.send(body.as_bytes());
        // The caller leaves at any point of the request, because a commit takes about as long.
        std::thread::sleep(std::time::Duration::from_micros(n * 10));
        drop(connection);
    }
    let anyone = server.anonymous();
    // This request stands behind all of them in the writer's queue.
    anyone.submit(&json!({ "job_queue": "q" }));
    let found: Vec<u16> = (0..300).map(|n| anyone.get(&job(n)).status).collect();
    assert!(found.iter().all(|status| [200, 204].contains(status)), "{found:?}");
    let files = found.iter().filter(|status| **status == 200).count();
    until("no file is left that no row names", || server.blob_files().len() == files);
}
