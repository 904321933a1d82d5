//! What a page of a stranger can make a browser do.

use serde_json::json;
use testflinger_server::config::Raw;

use crate::support::{Caller, Connection, TestServer, ZERO};

const SITE: &str = "Sec-Fetch-Site";

fn status(answer: &crate::support::Answer) -> (u16, String) {
    (answer.status, if answer.status == 200 { String::new() } else { answer.message() })
}

const ELSEWHERE: &str = "A browser may do this only from a page of this server, or with a token";

#[test]
fn every_answer_tells_browsers_to_do_nothing_with_it() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    for answer in [
        anyone.get("/v1"),
        anyone.get("/nowhere"),
        anyone.get("//v1"),
        anyone.get("/v1/agents/data"),
        anyone.delete("/v1"),
        anyone.send("OPTIONS", "/v1", b""),
        anyone.get("/v1/client-permissions"),
    ] {
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{}", answer.status);
        }
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    }
}

#[test]
fn output_is_never_a_page() {
    let server = TestServer::start();
    for kind in ["output", "serial_output"] {
        let path = format!("/v1/result/{ZERO}/{kind}");
        server.anonymous().send("POST", &path, b"<script>alert(1)</script>");
        let answer = server.anonymous().get(&path);
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    }
}

/// What changes something, `GET` included.
fn changes(caller: &Caller) -> [crate::support::Answer; 4] {
    [
        caller.post("/v1/job", &json!({ "job_queue": "q" })),
        caller.get("/v1/job?queue=q"),
        caller.get(&format!("/v1/result/{ZERO}/output")),
        caller.send("POST", "/v1/agents/data/x", b""),
    ]
}

#[test]
fn a_page_of_another_site_changes_nothing() {
    let server = TestServer::start();
    server.anonymous().send("POST", &format!("/v1/result/{ZERO}/output"), b"text");
    for (name, value) in [
        (SITE, "cross-site"),
        (SITE, "same-site"),
        ("Origin", "http://evil.example"),
        ("Origin", "null"),
    ] {
        for answer in changes(&server.anonymous().header(name, value)) {
            assert_eq!(status(&answer), (403, ELSEWHERE.to_owned()), "{name}: {value}");
        }
    }
    // Over plain HTTP, a browser does not say where it gets a thing for.
    let image = server.anonymous().header("Accept-Language", "en");
    assert_eq!(image.get("/v1/job?queue=q").status, 403);
    assert_eq!(image.get("/v1/agents/data").status, 200);
    for (name, value) in [(SITE, "same-origin"), (SITE, "none"), ("Origin", &*server.url())] {
        let own = server.anonymous().header(name, value);
        own.submit(&json!({ "job_queue": "q" }));
        assert!(own.claim("q").is_some());
    }
    let text = server.anonymous().get(&format!("/v1/result/{ZERO}/output"));
    assert_eq!(text.seen(), (200, "text".to_owned()));
}

#[test]
fn a_page_of_another_site_may_look_but_browsers_do_not_let_it_see() {
    let server = TestServer::start();
    let answer = server.anonymous().header(SITE, "cross-site").get("/v1/agents/data");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

/// The status of a request that a browser sends under a name.
fn under(server: &TestServer, name: &str, target: &str, browser: &str) -> u16 {
    let mut connection = Connection::open(&server.url());
    let head = format!(
        "{target} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n{browser}Content-Length: 0\r\n\r\n"
    );
    connection.send(head.as_bytes());
    connection.answer().0
}

#[test]
fn a_browser_uses_a_name_that_no_stranger_can_own() {
    let allowed_hosts = Some("lab.example, tf.example".parse().unwrap());
    let server = TestServer::with(Raw { allowed_hosts, ..Raw::default() });
    let (read, write) = ("GET /v1/agents/data", "POST /v1/agents/data/x");
    let browser = "Sec-Fetch-Site: same-origin\r\n";
    for name in
        ["127.0.0.1", "[::1]:8000", "localhost", "rack7:8000", "lab.example", "TF.example:80"]
    {
        assert_eq!(under(&server, name, read, browser), 200, "{name}");
        assert_eq!(under(&server, name, write, browser), 200, "{name}");
    }
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    assert_eq!(under(&server, &host, write, browser), 200);
    for target in [read, write] {
        assert_eq!(under(&server, "evil.example", target, browser), 403);
        let origin = "Origin: http://evil.example\r\n";
        assert_eq!(under(&server, "evil.example", target, origin), 403);
        assert_eq!(under(&server, "evil.example", target, ""), 200, "a program");
    }
}
