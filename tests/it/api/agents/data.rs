use std::time::Duration;

use serde_json::{Value, json};

use crate::support::TestServer;

#[test]
fn posts_are_merged_and_unknown_members_kept() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let path = "/v1/agents/data/a";
    let answer = anyone.post(path, &json!({ "state": "waiting", "queues": ["q"], "rack": [1, 2] }));
    assert_eq!(answer.seen(), (200, "{\"status\":\"OK\"}\n".to_owned()));
    server.pass(Duration::from_secs(5));
    anyone.post(path, &json!({ "state": "test", "location": "here", "log": ["not shown"] }));
    assert_eq!(
        anyone.get(path).value(),
        json!({
            "name": "a", "state": "test", "queues": ["q"], "location": "here", "rack": [1, 2],
            "last_seen_at": "2026-11-23T12:00:05Z", "restricted_to": {},
            "updated_at": "2026-11-23T12:00:05Z",
        })
    );
}

#[test]
fn an_agent_cannot_set_what_the_server_answers() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let forged = json!({
        "name": "b", "updated_at": "x", "restricted_to": { "q": [] }, "provision_streak_type": "pass",
        "provision_streak_count": 99, "submitted_by": "boss", "last_seen_at": "x",
    });
    anyone.post("/v1/agents/data/a", &forged);
    assert_eq!(
        anyone.get("/v1/agents/data/a").value(),
        json!({
            "last_seen_at": "2026-11-23T12:00:00Z", "name": "a", "restricted_to": {},
            "state": "unknown", "updated_at": "2026-11-23T12:00:00Z",
        })
    );
}

#[test]
fn an_agent_is_seen_whenever_it_asks_for_something() {
    let server = TestServer::start();
    let agent = server.agent("rig");
    agent.post("/v1/agents/data/rig", &json!({ "state": "waiting" }));
    server.pass(Duration::from_mins(1));
    assert_eq!(agent.claim("q"), None);
    server.pass(Duration::from_mins(1));
    let shown = server.anonymous().get("/v1/agents/data/rig").value();
    assert_eq!(
        (&shown["last_seen_at"], &shown["updated_at"]),
        (&json!("2026-11-23T12:01:00Z"), &json!("2026-11-23T12:00:00Z"))
    );
    assert_eq!(server.anonymous().get("/v1/agents/data").value()[0], shown);
}

#[test]
fn the_history_of_an_agent_says_who_changed_what_and_when() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let path = "/v1/agents/data/rig";
    server.agent("rig").post(path, &json!({ "state": "waiting" }));
    server.pass(Duration::from_secs(5));
    anyone.post(path, &json!({ "state": "offline", "comment": "disk" }));
    assert_eq!(
        anyone.get(&format!("{path}/history")).value(),
        json!([
            {
                "at": "2026-11-23T12:00:00Z", "by": "agent", "change": "state", "name": "rig",
                "to": "waiting",
            },
            {
                "at": "2026-11-23T12:00:05Z", "by": "anonymous", "change": "state",
                "from": "waiting", "to": "offline",
            },
            { "at": "2026-11-23T12:00:05Z", "by": "anonymous", "change": "comment", "to": "disk" },
        ])
    );
    let unknown = anyone.get("/v1/agents/data/nobody/history");
    assert_eq!((unknown.status, unknown.message()), (404, "Agent not found".to_owned()));
}

#[test]
fn agents_are_listed_in_the_order_of_their_first_appearance() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    for name in ["z", "a", "m", "z"] {
        anyone.post(&format!("/v1/agents/data/{name}"), &json!({}));
    }
    let list = anyone.get("/v1/agents/data").value();
    let names: Vec<&Value> = list.as_array().unwrap().iter().map(|agent| &agent["name"]).collect();
    assert_eq!(names, ["z", "a", "m"]);
}

#[test]
fn a_post_sets_the_cookie_by_which_the_agent_is_known() {
    let server = TestServer::start();
    for (path, cookie) in [
        ("rack1-board_7.lab", "rack1-board_7.lab"),
        ("a%20b", "\"a b\""),
        ("a%3Bb%2Cc", "\"a\\073b\\054c\""),
        ("%C3%A9", "\"\\303\\251\""),
        ("a%22b%5Cc", "\"a\\\"b\\\\c\""),
    ] {
        let answer = server.anonymous().post(&format!("/v1/agents/data/{path}"), &json!({}));
        let expected = format!("agent_name={cookie}; HttpOnly; Path=/; SameSite=Strict");
        assert_eq!(answer.header("set-cookie"), Some(expected.as_str()));
    }
}

#[test]
fn an_agent_with_an_odd_name_is_known_by_its_cookie() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    for (n, path) in ["a%20b", "a%3Bb%2Cc", "%C3%A9", "a%22b%5Cc"].into_iter().enumerate() {
        let queue = format!("q{n}");
        let answer = anyone.post(&format!("/v1/agents/data/{path}"), &json!({}));
        let cookie = answer.header("set-cookie").unwrap().split("; HttpOnly").next().unwrap();
        let agent = server.anonymous().header("Cookie", &format!("other=1; {cookie}"));
        let first = anyone.submit(&json!({ "job_queue": queue }));
        let second = anyone.submit(&json!({ "job_queue": queue }));
        assert_eq!(agent.claim(&queue), Some(first.clone()));
        assert_eq!(agent.claim(&queue), Some(first.clone()));
        anyone.post(&format!("/v1/agents/data/{path}"), &json!({ "job_id": first }));
        assert_eq!(agent.claim(&queue), Some(second));
    }
}

#[test]
fn agents_outlive_a_restart() {
    let mut server = TestServer::start();
    server.anonymous().post("/v1/agents/data/a", &json!({ "state": "test", "queues": ["q"] }));
    let before = server.anonymous().get("/v1/agents/data").seen();
    server.restart();
    assert_eq!(server.anonymous().get("/v1/agents/data").seen(), before);
}
