use serde_json::json;

use crate::support::{TestServer, ZERO};

const NOT_FOUND: &str = "Not found: 404 Not Found: The requested URL was not found on the server. \
                         If you entered the URL manually please check your spelling and try again.\n";

#[test]
fn a_path_that_no_route_has_is_answered_with_a_sentence() {
    let server = TestServer::start();
    for path in ["/nowhere", "/v1/jobs", "/v1/job/a/b/c", "/v1/agents", "/v2/job"] {
        let answer = server.anonymous().get(path);
        assert_eq!(answer.seen(), (404, NOT_FOUND.to_owned()), "{path}");
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    }
}

#[test]
fn a_device_flow_is_not_offered() {
    let server = TestServer::start();
    assert_eq!(server.anonymous().send("POST", "/oidc/auth-init", b"").status, 404);
}

#[test]
fn the_root_says_that_a_testflinger_server_answers() {
    let server = TestServer::start();
    for path in ["/v1", "/v1/"] {
        let answer = server.anonymous().get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text().starts_with("Testflinger Server v"), "{}", answer.text());
    }
}

#[test]
fn a_slash_at_the_end_is_ignored() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let answer = anyone.post("/v1/job/", &json!({ "job_queue": "q" }));
    let id = answer.value()["job_id"].as_str().unwrap().to_owned();
    for path in [
        format!("/v1/job/{id}/"),
        format!("/v1/result/{id}/"),
        "/v1/agents/data/".to_owned(),
        "/v1/queues/q/jobs/".to_owned(),
        "/v1/job/search/?state=waiting".to_owned(),
        "/v1/job/?queue=q".to_owned(),
    ] {
        assert_eq!(anyone.get(&path).status, 200, "{path}");
    }
}

#[test]
fn repeated_slashes_are_redirected_with_their_query() {
    let server = TestServer::start();
    let answer = server.anonymous().post("//v1//job?a=b", &json!({ "job_queue": "q" }));
    assert_eq!((answer.status, answer.header("location")), (308, Some("/v1/job?a=b")));
    assert_eq!(server.anonymous().get("/v1/queues/q/jobs").status, 204);
}

#[test]
fn a_queue_may_have_a_slash_in_its_name() {
    let server = TestServer::start();
    let (anyone, boss) = (server.anonymous(), server.client("boss", "manager"));
    server.client("ci", "contributor");
    let first = anyone.submit(&json!({ "job_queue": "rack/7" }));
    let second = anyone.submit(&json!({ "job_queue": "rack/7" }));
    assert_eq!(anyone.get("/v1/queues/rack%2F7/jobs").value().as_array().unwrap().len(), 2);
    assert_eq!(anyone.get("/v1/queues/rack%2f7/jobs").status, 200);
    assert_eq!(anyone.get("/v1/queues/rack/7/jobs").status, 404);
    assert_eq!(anyone.get(&format!("/v1/job/{second}/position")).text(), "1");
    for (path, body) in [
        ("/v1/agents/queues", json!({ "rack/7": "the seventh" })),
        ("/v1/agents/images", json!({ "rack/7": { "noble": "url: x" } })),
        ("/v1/agents/data/rig%2F1", json!({ "queues": ["rack/7"] })),
    ] {
        assert_eq!(anyone.post(path, &body).status, 200, "{path}");
    }
    assert_eq!(anyone.get("/v1/agents/images/rack%2F7").value(), json!({ "noble": "url: x" }));
    assert_eq!(anyone.get("/v1/queues/rack%2F7/agents").value()[0]["name"], "rig/1");
    assert_eq!(anyone.claim("rack/7").as_ref(), Some(&first));
    assert_eq!(anyone.claim("rack%2F7").as_ref(), Some(&second));
    assert!(anyone.get("/v1/queues/wait_times?queue=rack/7").value()["rack/7"].is_object());
    let (path, owner) = ("/v1/restricted-queues/rack%2F7", json!({ "client_id": "ci" }));
    assert_eq!(boss.post(path, &owner).status, 200);
    assert_eq!(boss.get(path).value(), json!({ "queue": "rack/7", "owners": ["ci"] }));
    assert_eq!(anyone.post("/v1/job", &json!({ "job_queue": "rack/7" })).status, 401);
    assert_eq!(boss.json("DELETE", path, &owner.to_string()).status, 200);
    assert_eq!(boss.get(path).status, 404);
}

#[test]
fn names_may_hold_any_character() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    for (path, name) in [
        ("a%20b", "a b"),
        ("%C3%A9", "é"),
        ("a%25b", "a%b"),
        ("a%2Fb", "a/b"),
        ("%F0%9F%98%80", "😀"),
    ] {
        let path = format!("/v1/agents/data/{path}");
        assert_eq!(anyone.post(&path, &json!({})).status, 200, "{path}");
        assert_eq!(anyone.get(&path).value()["name"], name, "{path}");
    }
}

#[test]
fn bytes_that_are_no_text_name_nothing() {
    let server = TestServer::start();
    assert_eq!(server.anonymous().get("/v1/agents/data/%FF").status, 404);
}

#[test]
fn odd_spellings_of_an_id_are_valid_and_find_nothing() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let id = "abcdefab-cdef-abcd-efab-cdefabcdefab";
    anyone.submit(&json!({ "job_queue": "q", "job_id": id }));
    assert_eq!(anyone.get(&format!("/v1/job/{id}")).status, 200);
    for odd in
        [id.to_uppercase(), format!("%7B{id}%7D"), format!("urn:uuid:{id}"), id.replace('-', "")]
    {
        assert_eq!(anyone.get(&format!("/v1/job/{odd}")).seen(), (204, String::new()), "{odd}");
        assert_eq!(anyone.get(&format!("/v1/result/{odd}")).status, 204, "{odd}");
        let cancel = anyone.post(&format!("/v1/job/{odd}/action"), &json!({ "action": "cancel" }));
        assert_eq!(cancel.status, 404, "{odd}");
    }
    assert_eq!(anyone.state(id), "waiting");
}

#[test]
fn what_is_no_id_is_refused_in_the_words_of_each_endpoint() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    for path in ["/v1/job/x", "/v1/job/x/position", "/v1/result/x"] {
        let answer = anyone.get(path);
        let seen = (answer.status, answer.message());
        assert_eq!(seen, (400, "Invalid job_id specified".to_owned()), "{path}");
    }
    let sentence = (400, "Invalid job id\n".to_owned());
    for path in ["/v1/job/x/attachments", "/v1/result/x/artifact"] {
        assert_eq!(anyone.get(path).seen(), sentence, "{path}");
    }
    let cancel = json!({ "action": "cancel" });
    assert_eq!(anyone.post("/v1/job/x/action", &cancel).seen(), sentence);
    // The body is checked before the id.
    assert_eq!(anyone.post("/v1/job/x/action", &json!({})).status, 422);
    assert_eq!(anyone.post("/v1/result/x", &json!({})).status, 400);
    assert_eq!(anyone.get(&format!("/v1/job/{ZERO}/position")).status, 410);
}
