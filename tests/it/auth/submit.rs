//! What a job needs rights for: a priority, a restricted queue, a long reservation.

use serde_json::{Value, json};
use testflinger_server::config::{Mode, Raw};

use crate::support::{Caller, TestServer};

/// Submits and gives the status and, of a refusal, the message.
fn submit(caller: &Caller, job: &Value) -> (u16, String) {
    let answer = caller.post("/v1/job", job);
    (answer.status, if answer.status == 200 { String::new() } else { answer.message() })
}

fn ok() -> (u16, String) {
    (200, String::new())
}

fn refused(status: u16, message: &str) -> (u16, String) {
    (status, message.to_owned())
}

#[test]
fn a_priority_needs_a_token_that_allows_it_on_this_queue_or_on_all() {
    let server = TestServer::start();
    let rights = json!({ "role": "contributor", "max_priority": { "q": 10, "*": 2 } });
    let client = server.client_with("ci", &rights);
    let job = |queue: &str, priority: i64| json!({ "job_queue": queue, "job_priority": priority });
    let anyone = server.anonymous();
    assert_eq!(submit(&anyone, &job("q", 0)), ok());
    for priority in [1, -1] {
        assert_eq!(
            submit(&anyone, &job("q", priority)),
            refused(401, &format!("Authentication required for setting priority: {priority}"))
        );
    }
    assert_eq!(submit(&client, &job("q", 10)), ok());
    assert_eq!(submit(&client, &job("other", 2)), ok());
    assert_eq!(submit(&client, &job("q", -5)), ok());
    assert_eq!(
        submit(&client, &job("q", 11)),
        refused(403, "Not enough permissions to push to q with priority 11")
    );
    assert_eq!(
        submit(&client, &job("other", 3)),
        refused(403, "Not enough permissions to push to other with priority 3")
    );
}

#[test]
fn a_restricted_queue_takes_jobs_of_its_owners_only_and_admins_are_no_exception() {
    let server = TestServer::start();
    server.client("owner", "contributor");
    server.local().restrict("rq", "owner");
    let (owner, admin) = (server.bearer(&server.token("owner")), server.client("root", "admin"));
    let job = json!({ "job_queue": "rq" });
    assert_eq!(
        submit(&server.anonymous(), &job),
        refused(401, "Authentication required to push to restricted queue: rq")
    );
    assert_eq!(
        submit(&admin, &job),
        refused(403, "Not enough permissions to push to the restricted queue: rq")
    );
    assert_eq!(submit(&owner, &job), ok());
}

#[test]
fn a_long_reservation_needs_a_token_that_allows_it() {
    let server = TestServer::start();
    let rights = json!({ "role": "contributor", "max_reservation_time": { "*": 30_000 } });
    let client = server.client_with("ci", &rights);
    let job = |timeout: Value| json!({ "job_queue": "q", "reserve_data": { "timeout": timeout } });
    let anyone = server.anonymous();
    assert_eq!(submit(&anyone, &job(json!(21_600))), ok());
    assert_eq!(submit(&anyone, &json!({ "job_queue": "q", "reserve_data": {} })), ok());
    assert_eq!(
        submit(&anyone, &job(json!(21_601))),
        refused(401, "Authentication required for setting timeout: 21601")
    );
    assert_eq!(
        submit(&anyone, &job(json!("7h"))),
        refused(401, "Authentication required for setting timeout: 25200")
    );
    assert_eq!(submit(&client, &job(json!(30_000))), ok());
    assert_eq!(
        submit(&client, &job(json!(30_001))),
        refused(403, "Not enough permissions to push to q with reservation timeout 30001")
    );
}

#[test]
fn refusals_come_in_upstreams_order() {
    let server = TestServer::start();
    server.client("owner", "contributor");
    server.local().restrict("rq", "owner");
    let anyone = server.anonymous();
    let mut job = json!({
        "job_queue": "rq",
        "job_id": "no uuid",
        "job_priority": 1,
        "exclude_agents": ["all"],
        "reserve_data": { "timeout": 99_999 },
    });
    let mut seen = Vec::new();
    let bad = server.bearer("garbage");
    job["tags"] = json!("no list");
    seen.push(submit(&bad, &job));
    seen.push(submit(&anyone, &job));
    for gone in ["tags", "exclude_agents", "job_id", "job_priority"] {
        job.as_object_mut().unwrap().remove(gone);
        seen.push(submit(&anyone, &job));
    }
    job["job_queue"] = json!("free");
    seen.push(submit(&anyone, &job));
    let expected = [
        refused(403, "Unable to decode token"),
        refused(422, "Validation error"),
        refused(422, "There are no agents on the specified queue that are allowed to run this job"),
        refused(400, "Invalid job_id specified"),
        refused(401, "Authentication required for setting priority: 1"),
        refused(401, "Authentication required to push to restricted queue: rq"),
        refused(401, "Authentication required for setting timeout: 99999"),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_token_has_the_rights_of_the_moment_in_which_it_was_issued() {
    let server = TestServer::start();
    let before = server.client("ci", "contributor");
    server.local().edit("ci", &json!({ "max_priority": { "q": 5 } }));
    server.local().restrict("rq", "ci");
    let (urgent, restricted) =
        (json!({ "job_queue": "q", "job_priority": 5 }), json!({ "job_queue": "rq" }));
    assert_eq!(submit(&before, &urgent).0, 403);
    assert_eq!(submit(&before, &restricted).0, 403);
    let after = server.bearer(&server.token("ci"));
    assert_eq!(submit(&after, &urgent), ok());
    assert_eq!(submit(&after, &restricted), ok());
}

#[test]
fn the_local_administrator_needs_no_rights_to_submit() {
    let server = TestServer::with(Raw { access: Some(Mode::Locked), ..Raw::default() });
    server.client("owner", "contributor");
    server.local().restrict("rq", "owner");
    let job =
        json!({ "job_queue": "rq", "job_priority": 9, "reserve_data": { "timeout": 99_999 } });
    assert_eq!(server.local().send("POST", "/v1/job", Some(&job)).status, 200);
}
