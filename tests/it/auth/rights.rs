//! What callers may not do although nothing seems to stop them.

use serde_json::{Value, json};
use testflinger_server::config::{Mode, Raw};

use crate::support::auth::{SECRET, basic, raw};
use crate::support::{Caller, Part, TestServer};

fn locked() -> TestServer {
    TestServer::with(Raw { access: Some(Mode::Locked), ..Raw::default() })
}

#[test]
fn only_who_may_touch_a_job_supplies_its_attachments() {
    let server = locked();
    let (owner, other) = (server.client("owner", "contributor"), server.client("x", "contributor"));
    let manager = server.client("boss", "manager");
    let job = json!({ "job_queue": "q", "test_data": { "attachments": [{ "agent": "a" }] } });
    let upload = |by: &Caller, job: &str| {
        by.upload(&format!("/v1/job/{job}/attachments"), &[Part("file", b"archive")]).status
    };
    let first = owner.submit(&job);
    assert_eq!(upload(&other, &first), 403);
    assert!(server.blob_files().is_empty());
    assert_eq!(upload(&owner, &first), 200);
    assert_eq!(upload(&manager, &owner.submit(&job)), 200);
}

/// An admin's client, and whether its token still does what an admin may.
fn admin_is_one(admin: &Caller) -> u16 {
    admin.put("/v1/client-permissions/boss", &json!({ "role": "admin" })).status
}

#[test]
fn a_token_ends_with_the_role_and_the_secret_for_which_it_was_issued() {
    let server = locked();
    server.client("root", "admin");
    let before = server.client("boss", "admin");
    assert_eq!(admin_is_one(&before), 200);
    server.local().edit("boss", &json!({ "role": "contributor" }));
    assert_eq!(admin_is_one(&before), 401);
    server.local().edit("boss", &json!({ "role": "admin" }));
    let again = server.bearer(&server.token("boss"));
    assert_eq!(admin_is_one(&again), 200);
    server.local().edit("boss", &json!({ "client_secret": "another secret of some length" }));
    assert_eq!(admin_is_one(&again), 401);
    // What does not concern the proof changes nothing.
    let other = server.client("other", "manager");
    server.local().edit("other", &json!({ "max_priority": { "q": 7 } }));
    assert_eq!(other.get("/v1/client-permissions").status, 200);
}

/// The two agents of a server on which agents need tokens, and a job that the first one holds.
fn two_agents(server: &TestServer) -> (Caller, Caller, Caller, String) {
    let owner = server.client("owner", "contributor");
    let rack = server.client("rack", "agent");
    let named = |name: &str| rack.clone().header("Cookie", &format!("agent_name={name}"));
    let (mine, theirs) = (named("mine"), named("theirs"));
    let id = owner.submit(&json!({ "job_queue": "q" }));
    assert_eq!(mine.claim("q"), Some(id.clone()));
    (owner, mine, theirs, id)
}

#[test]
fn what_an_agent_posts_about_anothers_job_is_answered_and_changes_nothing() {
    let server = locked();
    let (owner, mine, theirs, id) = two_agents(&server);
    let path = format!("/v1/result/{id}");
    let fragment = json!({
        "fragment_number": 0, "timestamp": "2026-11-23T12:00:00Z", "phase": "test", "log_data": "evil",
    });
    let results = json!({ "job_state": "complete", "test_status": 7 });
    assert_eq!(theirs.post(&path, &results).seen(), (200, "OK".to_owned()));
    assert_eq!(theirs.post(&format!("{path}/log/output"), &fragment).status, 200);
    assert_eq!(theirs.send("POST", &format!("{path}/output"), b"evil").status, 200);
    let upload = theirs.upload(&format!("{path}/artifact"), &[Part("file", b"evil")]);
    assert_eq!(upload.status, 200);
    let seen: Value = owner.get(&path).value();
    assert_eq!((&seen["job_state"], seen.get("test_status")), (&json!("running"), None));
    assert!(!seen.to_string().contains("evil"), "{seen}");
    for kind in ["output", "artifact"] {
        assert_eq!(owner.get(&format!("{path}/{kind}")).status, 204, "{kind}");
    }
    // Its own agent reports as ever.
    assert_eq!(mine.post(&path, &results).status, 200);
    let seen = owner.get(&path).value();
    assert_eq!((&seen["job_state"], &seen["test_status"]), (&json!("complete"), &json!(7)));
}

#[test]
fn rights_that_no_token_could_hold_are_refused() {
    let server = locked();
    let root = server.client("root", "admin");
    server.client("wide", "contributor");
    let many: Value =
        (0..900).map(|n| (format!("a queue with a long name, number {n}"), json!(1))).collect();
    let path = "/v1/client-permissions/wide";
    let refused = root.put(path, &json!({ "max_priority": many }));
    let message = "Error: These rights do not fit into a token.".to_owned();
    assert_eq!((refused.status, refused.message()), (422, message));
    assert_eq!(server.log_in("wide", SECRET).status, 200);
}

#[test]
fn head_issues_no_token_and_judges_no_secret() {
    let server = TestServer::start();
    server.client("ci", "contributor");
    for secret in [SECRET, "a wrong secret"] {
        let authorization = basic("ci", secret);
        let headers = [("Authorization", authorization.as_str())];
        let answer = raw(&server.url(), "HEAD /v1/oauth2/token", &headers, "");
        assert_eq!((answer.status, answer.body.len()), (204, 0));
    }
}

#[test]
fn taking_a_queue_from_a_client_that_does_not_own_it_leaves_it_restricted() {
    let server = locked();
    let root = server.client("root", "admin");
    server.client("owner", "contributor");
    server.client("other", "contributor");
    server.local().restrict("q", "owner");
    let deleted = root.delete("/v1/client-permissions/owner");
    assert_eq!(deleted.status, 200, "{}", deleted.text());
    let body = json!({ "client_id": "other" }).to_string();
    root.json("DELETE", "/v1/restricted-queues/q", &body);
    let other = server.bearer(&server.token("other"));
    assert_eq!(other.post("/v1/job", &json!({ "job_queue": "q" })).status, 403);
}

#[test]
fn a_token_that_is_bound_to_agents_speaks_for_no_other() {
    let server = locked();
    let owner = server.client("owner", "contributor");
    let rack = server.client("rack", "agent");
    let named = |name: &str| rack.clone().header("Cookie", &format!("agent_name={name}"));
    let (ours, theirs) = (named("rack1-a"), named("rack2-a"));
    let id = owner.submit(&json!({ "job_queue": "q" }));
    assert_eq!(theirs.claim("q"), Some(id.clone()));
    // What was issued before counts as well.
    server.local().edit("rack", &json!({ "agents": ["rack1-*", "spare"] }));
    let refused = theirs.get("/v1/job?queue=q");
    let why = r#"This token is not for agent "rack2-a""#.to_owned();
    assert_eq!((refused.status, refused.message()), (403, why));
    let end = json!({ "job_state": "complete" });
    assert_eq!(theirs.post(&format!("/v1/result/{id}"), &end).status, 403);
    for (agent, status) in [("rack1-b", 200), ("spare", 200), ("rack2-a", 403), ("rack10", 403)] {
        let data = rack.post(&format!("/v1/agents/data/{agent}"), &json!({ "state": "waiting" }));
        assert_eq!(data.status, status, "{agent}");
        let ended = json!({ "exit_code": 0, "detail": "", "job_id": id });
        let log = rack.post(&format!("/v1/agents/provision_logs/{agent}"), &ended);
        assert_eq!(log.status, status, "{agent}");
    }
    assert_eq!(ours.claim("q"), None);
    // Without a name it is nobody, and what it says of another's job stays apart.
    assert_eq!(rack.post(&format!("/v1/result/{id}"), &end).status, 200);
    assert_eq!(owner.get(&format!("/v1/result/{id}")).value()["job_state"], "running");
    server.local().edit("rack", &json!({ "agents": [] }));
    assert_eq!(theirs.claim("q"), Some(id));
}
