//! One caller cannot take what all need: memory, connections, disk.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};

use serde_json::json;
use socket2::{Domain, Socket, Type};
use testflinger_server::config::{Count, Raw, Size};

use crate::support::{BOUNDARY, Connection, PATIENCE, Part, TestServer, ZERO, until};

const MIB: usize = 1 << 20;

#[test]
fn bodies_beyond_the_budget_are_refused_until_the_others_are_gone() {
    let server = TestServer::with(Raw { max_in_flight: Some(Size(16 << 20)), ..Raw::default() });
    let large = json!({ "job_queue": "q", "x": "x".repeat(2 * MIB) });
    let caller = server.anonymous();
    assert_eq!(caller.post("/v1/job", &large).status, 200);
    let mut greedy = Connection::open(&server.url());
    greedy.begin("POST /v1/job", "application/json", "Transfer-Encoding: chunked");
    for _ in 0..13 {
        greedy.chunk(&vec![b' '; MIB]);
    }
    until("the greedy one has taken its part", || {
        let answer = caller.post("/v1/job", &large);
        answer.status == 503 && answer.header("retry-after") == Some("1")
    });
    // What is small still passes.
    caller.submit(&json!({ "job_queue": "q" }));
    assert_eq!(caller.get("/v1").status, 200);
    drop(greedy);
    until("its part is given back", || caller.post("/v1/job", &large).status == 200);
}

#[test]
fn a_large_job_for_which_there_is_no_room_goes_back_to_its_queue() {
    let server = TestServer::with(Raw { max_in_flight: Some(Size(16 << 20)), ..Raw::default() });
    let caller = server.anonymous();
    let large = json!({ "job_queue": "q", "x": "x".repeat(2 * MIB) });
    let id = caller.post("/v1/job", &large).value()["job_id"].clone();
    let mut greedy = Connection::open(&server.url());
    greedy.begin("POST /v1/job", "application/json", "Transfer-Encoding: chunked");
    for _ in 0..13 {
        greedy.chunk(&vec![b' '; MIB]);
    }
    until("there is no room", || caller.get("/v1/job?queue=q").status == 503);
    drop(greedy);
    // Until it is back, nobody finds it.
    until("it is handed out", || {
        let answer = caller.get("/v1/job?queue=q");
        answer.status == 200 && answer.value()["job_id"] == id && answer.value()["x"] == large["x"]
    });
}

#[test]
fn what_stands_before_the_file_of_an_upload_is_bounded() {
    let server = TestServer::start();
    let path = format!("/v1/result/{ZERO}/artifact");
    for begin in ["", "preamble", &format!("--{BOUNDARY}\r\nX-Name: ")] {
        let mut upload = Connection::open(&server.url());
        upload.begin_upload(&path, "Transfer-Encoding: chunked");
        upload.chunk(begin.as_bytes());
        for _ in 0..8 {
            upload.chunk(&vec![b'a'; MIB]);
        }
        assert_eq!(upload.answer().0, 400);
    }
    let many = vec![Part("other", b"x"); 20];
    assert_eq!(server.anonymous().upload(&path, &many).status, 400);
    let some = [Part("other", b"x"), Part("file", b"bytes")];
    assert_eq!(server.anonymous().upload(&path, &some).status, 200);
}

#[test]
fn uploads_and_large_bodies_stop_before_the_disk_is_full() {
    let reserve = Some(Size(1 << 60));
    let server = TestServer::with(Raw { disk_reserve: reserve, ..Raw::default() });
    let caller = server.anonymous();
    let path = format!("/v1/result/{ZERO}");
    let upload = caller.upload(&format!("{path}/artifact"), &[Part("file", b"bytes")]);
    assert_eq!((upload.status, &*upload.message()), (507, "The server's disk is full"));
    let result = json!({ "test_output": "x".repeat(MIB) });
    assert_eq!(caller.post(&path, &result).status, 507);
    assert_eq!(caller.post(&path, &json!({ "test_status": 0 })).status, 200);
    caller.submit(&json!({ "job_queue": "q" }));
}

/// Connects from this address of the machine.
fn connect(server: &TestServer, from: [u8; 4]) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    let to: SocketAddr = server.url().strip_prefix("http://").unwrap().parse().unwrap();
    socket.connect(&to.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Whether a connection was refused: its answer comes before anything is asked.
fn is_refused(mut stream: TcpStream) -> bool {
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    text.starts_with("HTTP/1.1 503") && text.contains("too many connections")
}

#[test]
fn one_address_gets_half_of_the_connections_and_strangers_leave_some_to_the_known() {
    let server = TestServer::with(Raw { max_connections: Some(Count(64)), ..Raw::default() });
    // Whoever has called with a cookie or a token is known.
    assert_eq!(server.agent("rack").get("/v1/job?queue=q").status, 204);
    let mut open: Vec<_> = (0..32).map(|_| connect(&server, [127, 0, 0, 2])).collect();
    assert!(is_refused(connect(&server, [127, 0, 0, 2])));
    // Of the 64 places, 8 are kept.
    open.extend((0..24).map(|_| connect(&server, [127, 0, 0, 3])));
    assert!(is_refused(connect(&server, [127, 0, 0, 3])));
    assert!(is_refused(connect(&server, [127, 0, 0, 4])));
    assert_eq!(server.agent("rack").get("/v1/job?queue=q").status, 204);
    drop(open);
    until("there is a place again", || {
        let mut stream = connect(&server, [127, 0, 0, 4]);
        let request = b"GET /v1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let _ = std::io::Write::write_all(&mut stream, request);
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text);
        text.starts_with("HTTP/1.1 200")
    });
}
