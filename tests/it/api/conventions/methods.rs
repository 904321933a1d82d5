use serde_json::json;

use crate::support::{Answer, Part, TestServer, ZERO};

fn allow(answer: &Answer) -> &str {
    answer.header("allow").unwrap()
}

#[test]
fn another_method_is_refused_with_the_ones_that_are_allowed() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let refused = (405, "{\"detail\":{},\"message\":\"Method Not Allowed\"}\n".to_owned());
    for (answer, allowed) in [
        (anyone.delete("/v1/job"), "GET, HEAD, OPTIONS, POST"),
        (anyone.put("/v1/agents/data", &json!({})), "GET, HEAD, OPTIONS"),
        (anyone.get("/v1/agents/images"), "OPTIONS, POST"),
        (anyone.get(&format!("/v1/job/{ZERO}/action")), "OPTIONS, POST"),
    ] {
        assert_eq!(answer.seen(), refused);
        assert_eq!(answer.header("content-length"), Some("45"));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(allow(&answer), allowed);
    }
}

#[test]
fn options_say_what_is_allowed() {
    let server = TestServer::start();
    let answer = server.anonymous().send("OPTIONS", "/v1/job", b"");
    assert_eq!(answer.seen(), (200, String::new()));
    assert_eq!(allow(&answer), "GET, HEAD, OPTIONS, POST");
    assert_eq!(server.anonymous().send("OPTIONS", "/nowhere", b"").status, 404);
}

#[test]
fn head_answers_like_get_without_a_body() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let id = anyone.submit(&json!({ "job_queue": "q" }));
    anyone.upload(&format!("/v1/result/{id}/artifact"), &[Part("file", b"12345")]);
    for (path, status) in [
        (format!("/v1/result/{id}"), 200),
        (format!("/v1/result/{id}/artifact"), 200),
        (format!("/v1/job/{ZERO}"), 204),
        ("/v1/agents/data/nobody".to_owned(), 404),
        ("/v1/job".to_owned(), 400),
    ] {
        assert_eq!(anyone.send("HEAD", &path, b"").seen(), (status, String::new()), "{path}");
    }
    let artifact = anyone.send("HEAD", &format!("/v1/result/{id}/artifact"), b"");
    assert_eq!(artifact.header("content-length"), Some("5"));
}

#[test]
fn a_connection_serves_many_requests() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    for _ in 0..20 {
        assert_eq!(anyone.get("/v1").status, 200);
        assert_eq!(anyone.get("/nowhere").status, 404);
        assert_eq!(anyone.json("POST", "/v1/job", "{").status, 400);
    }
}
