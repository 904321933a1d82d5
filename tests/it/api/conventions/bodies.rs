use serde_json::json;

use crate::support::{Answer, Connection, TestServer};

fn required(answer: &Answer) {
    assert_eq!(answer.status, 422, "{}", answer.text());
    let missing = json!({ "json": { "job_queue": ["Missing data for required field."] } });
    let expected = json!({ "detail": missing, "message": "Validation error" });
    assert_eq!(answer.value(), expected);
}

#[test]
fn a_body_of_another_type_counts_as_an_empty_object() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let body = br#"{"job_queue":"q"}"#;
    required(&anyone.send("POST", "/v1/job", body));
    for kind in ["text/plain", "application/x-www-form-urlencoded", "json", "text/json"] {
        required(&anyone.clone().header("Content-Type", kind).send("POST", "/v1/job", body));
    }
    assert_eq!(anyone.send("POST", "/v1/agents/data/x", b"nonsense").status, 200);
}

#[test]
fn every_kind_of_json_is_json() {
    let server = TestServer::start();
    for kind in [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON;charset=UTF-8",
        "application/vnd.api+json",
    ] {
        let caller = server.anonymous().header("Content-Type", kind);
        assert_eq!(caller.send("POST", "/v1/job", br#"{"job_queue":"q"}"#).status, 200, "{kind}");
    }
}

#[test]
fn an_empty_body_is_an_empty_object() {
    let server = TestServer::start();
    required(&server.anonymous().json("POST", "/v1/job", ""));
    required(&server.anonymous().send("POST", "/v1/job", b""));
    assert_eq!(server.anonymous().json("POST", "/v1/agents/data/x", "").status, 200);
}

#[test]
fn what_is_no_json_is_a_bad_request() {
    let server = TestServer::start();
    let anyone = server.anonymous().header("Content-Type", "application/json");
    for body in [
        &b"{"[..],
        b"nonsense",
        b"{\"job_queue\":\"q\"} x",
        b"{'job_queue':'q'}",
        b"{\"job_queue\":\"\xff\"}",
        b" ",
    ] {
        let answer = anyone.send("POST", "/v1/job", body);
        assert_eq!((answer.status, answer.message()), (400, "Bad Request".to_owned()), "{body:?}");
    }
}

#[test]
fn nesting_without_end_is_answered() {
    let server = TestServer::start();
    let body = format!("{{\"job_queue\":\"q\",\"a\":{}", "[".repeat(100_000));
    assert_eq!(server.anonymous().json("POST", "/v1/job", &body).status, 400);
}

/// Asserts that a job with this as a member is refused, whichever member it is.
#[track_caller]
fn refused_in_every_member(value: &str, message: &str) {
    let server = TestServer::start();
    let anyone = server.anonymous();
    for member in ["name", "tags", "global_timeout", "allocate_data", "provision_data", "x"] {
        let body = format!(r#"{{"job_queue":"q","{member}":{value}}}"#);
        let answer = anyone.json("POST", "/v1/job", &body);
        assert_eq!((answer.status, answer.message()), (400, message.to_owned()), "{member}");
    }
    assert_eq!(anyone.get("/v1/queues/q/jobs").status, 204);
}

#[test]
fn a_body_nests_a_hundred_levels_deep() {
    let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let server = TestServer::start();
    let body = format!(r#"{{"job_queue":"q","provision_data":{{"x":{}}}}}"#, nested(98));
    assert_eq!(server.anonymous().json("POST", "/v1/job", &body).status, 200);
    let message = "The body nests more than 100 levels deep";
    refused_in_every_member(&nested(100), message);
    refused_in_every_member(&nested(100_000), message);
}

#[test]
fn a_number_has_at_most_400_digits() {
    let server = TestServer::start();
    let body = |digits: usize| format!(r#"{{"job_queue":"q","x":-{}}}"#, "7".repeat(digits));
    let anyone = server.anonymous();
    assert_eq!(anyone.json("POST", "/v1/job", &body(400)).status, 200);
    assert!(anyone.get("/v1/job?queue=q").text().contains(&format!("-{}}}", "7".repeat(400))));
    let message = "A number in the body has more than 400 digits";
    refused_in_every_member(&"7".repeat(401), message);
    refused_in_every_member(&format!("[0.{}]", "7".repeat(401)), message);
}

#[test]
fn half_a_surrogate_pair_is_refused() {
    let server = TestServer::start();
    let body = r#"{"job_queue":"q","tags":["\ud83d\ude00","\\ud800","\u00e9"]}"#;
    assert_eq!(server.anonymous().json("POST", "/v1/job", body).status, 200);
    let message = "A text in the body has half a surrogate pair";
    for text in [r"\ud800", r"\udc00", r"a\uD800b", r"\ude00\ud83d", r"\ud83d\u0041", r"\\\udfff"] {
        refused_in_every_member(&format!("[\"{text}\"]"), message);
        refused_in_every_member(&format!("{{\"{text}\":1}}"), message);
    }
}

#[test]
fn json_that_is_no_object_fails_validation() {
    let server = TestServer::start();
    for body in ["null", "[]", "[{}]", "1", "\"q\"", "true"] {
        let answer = server.anonymous().json("POST", "/v1/job", body);
        assert_eq!(answer.status, 422, "{body}");
        let errors = json!({ "json": { "_schema": ["Invalid input type."] } });
        assert_eq!(answer.value()["detail"], errors, "{body}");
    }
}

#[test]
fn the_last_of_repeated_keys_counts() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let body = r#"{"job_queue":"first","a":1,"job_queue":"last","a":2}"#;
    assert_eq!(anyone.json("POST", "/v1/job", body).status, 200);
    assert_eq!(anyone.get("/v1/queues/first/jobs").status, 204);
    let job = anyone.get("/v1/job?queue=last").value();
    assert_eq!((&job["job_queue"], &job["a"]), (&json!("last"), &json!(2)));
}

#[test]
fn nan_is_read_and_stays_out_of_the_answer() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let body = r#"{"job_queue":"q","a":NaN,"b":[Infinity,-Infinity],"c":"NaN"}"#;
    assert_eq!(anyone.json("POST", "/v1/job", body).status, 200);
    let text = anyone.get("/v1/job?queue=q").text().to_owned();
    assert!(!text.contains(":NaN") && text.contains("\"c\":\"NaN\""), "{text}");
    let inside =
        r#"{"job_queue":"q","provision_data":{"a":NaN,"attachments":[]},"test_data":{"x":NaN}}"#;
    assert_eq!(anyone.json("POST", "/v1/job", inside).status, 200);
    assert_eq!(anyone.claim("q"), None, "a NaN beside them does not hide attachments");
    let timeout = anyone.json("POST", "/v1/job", r#"{"job_queue":"q","global_timeout":NaN}"#);
    assert_eq!(timeout.status, 422);
}

#[test]
fn answers_are_compact_sorted_escaped_and_end_with_a_newline() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let body = "{ \"zeta\": [1, 2.50 ], \"job_queue\" : \"q\",\n \"alpha\": \"é😀\\n\", \"B\": {\"y\": 1, \"x\": null}}";
    let id = anyone.json("POST", "/v1/job", body).value()["job_id"].as_str().unwrap().to_owned();
    let answer = anyone.get(&format!("/v1/job/{id}"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(
        answer.text(),
        format!(
            "{{\"B\":{{\"y\":1,\"x\":null}},\"alpha\":\"\\u00e9\\ud83d\\ude00\\n\",\"job_id\":\"{id}\",\
             \"job_queue\":\"q\",\"zeta\":[1,2.50]}}\n"
        )
    );
}

#[test]
fn sentences_are_html_and_ok_has_no_newline() {
    let server = TestServer::start();
    let answer = server.anonymous().post("/v1/agents/queues", &json!({}));
    assert_eq!(answer.seen(), (200, "OK".to_owned()));
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(answer.header("content-length"), Some("2"));
}

#[test]
fn a_job_of_the_allowed_size_passes_and_a_larger_one_does_not() {
    let raw = testflinger_server::config::Raw {
        max_json_size: Some("1000".parse().unwrap()),
        ..Default::default()
    };
    let server = TestServer::with(raw);
    let job = |filler: usize| json!({ "job_queue": "q", "x": "x".repeat(filler) });
    let overhead = job(0).to_string().len();
    assert_eq!(server.anonymous().post("/v1/job", &job(1000 - overhead)).status, 200);
    // The body is only announced, because a client that is still sending may not get to see the answer.
    let mut connection = Connection::open(&server.url());
    connection.begin("POST /v1/job", "application/json", "Content-Length: 1001");
    let (status, body) = connection.answer();
    assert_eq!(status, 413);
    assert_eq!(body, "{\"detail\":{},\"message\":\"Payload too large\"}\n");
}
