use serde_json::{Value, json};

use crate::support::TestServer;
use crate::support::auth::SECRET;

fn path(id: &str) -> String {
    format!("/v1/client-permissions/{id}")
}

fn rights() -> Value {
    json!({
        "role": "contributor",
        "max_priority": { "q": 1 },
        "max_reservation_time": { "*": 30_000 },
        "email": "ci@example.com",
    })
}

#[test]
fn what_is_null_or_absent_stays() {
    let server = TestServer::start();
    let admin = server.client("root", "admin");
    server.client_with("ci", &rights());
    let shown = || admin.get(&path("ci")).value();
    let before = shown();
    let nulls = json!({
        "role": null, "max_priority": null, "max_reservation_time": null, "email": null,
        "client_secret": null,
    });
    for body in [json!({}), nulls, json!({ "client_id": "other" })] {
        let answer = admin.put(&path("ci"), &body);
        assert_eq!(answer.seen(), (200, "Updated permissions for client 'ci'".to_owned()));
        assert_eq!(shown(), before, "{body}");
    }
    assert_eq!(server.log_in("ci", SECRET).status, 200);
    // The example in Testflinger's API reference.
    let body =
        json!({ "max_priority": { "q1": 10 }, "max_reservation_time": {}, "role": "contributor" });
    assert_eq!(admin.put(&path("ci"), &body).status, 200);
    let expected = json!({
        "client_id": "ci", "email": "ci@example.com", "role": "contributor",
        "max_priority": { "q1": 10 }, "max_reservation_time": {},
    });
    assert_eq!(shown(), expected);
}

#[test]
fn an_unknown_client_is_created_when_a_secret_is_given() {
    let server = TestServer::start();
    let admin = server.client("root", "admin");
    let answer = admin.put(&path("foo"), &json!({ "role": "agent" }));
    assert_eq!(answer.status, 404);
    assert_eq!(answer.message(), "Error: Specified client_id does not exist.");
    let answer = admin.put(&path("foo"), &json!({ "client_secret": SECRET, "role": "agent" }));
    assert_eq!(answer.seen(), (200, "Created permissions for client 'foo'".to_owned()));
    assert_eq!(server.log_in("foo", SECRET).status, 200);
}

#[test]
fn a_new_secret_needs_fifteen_characters_and_replaces_the_old_one() {
    let server = TestServer::start();
    let admin = server.client("root", "admin");
    server.client("ci", "contributor");
    let answer = admin.put(&path("ci"), &json!({ "client_secret": "14 characters." }));
    assert_eq!(answer.status, 422);
    let expected = json!({ "json": { "client_secret": ["Shorter than minimum length 15."] } });
    assert_eq!(answer.value()["detail"], expected);
    // The length is in characters, not in bytes.
    let secret = "\u{e9}".repeat(15);
    assert_eq!(admin.put(&path("ci"), &json!({ "client_secret": secret })).status, 200);
    assert_eq!(server.log_in("ci", &secret).status, 200);
    assert_eq!(server.log_in("ci", SECRET).status, 401);
}

#[test]
fn members_that_are_wrong_are_all_reported() {
    let server = TestServer::start();
    let admin = server.client("root", "admin");
    let answer = admin.put(
        &path("ci"),
        &json!({ "role": 5, "email": "nobody", "max_priority": [], "secret_hash": "x" }),
    );
    assert_eq!(answer.status, 422);
    assert_eq!(
        answer.value()["detail"]["json"],
        json!({
            "role": ["Not a valid string."],
            "email": ["Not a valid email address."],
            "max_priority": ["Not a valid mapping type."],
            "secret_hash": ["Unknown field."],
        })
    );
}

#[test]
fn nobody_changes_or_makes_a_client_above_themselves() {
    let server = TestServer::start();
    server.client("root", "admin");
    let manager = server.client("boss", "manager");
    server.client("ci", "contributor");
    for body in [json!({}), json!({ "role": "user" }), json!({ "client_secret": SECRET })] {
        let answer = manager.put(&path("root"), &body);
        assert_eq!(answer.status, 403);
        let message = "boss has insufficient permissions to modify client 'root'";
        assert_eq!(answer.message(), message);
    }
    for id in ["ci", "boss"] {
        let answer = manager.put(&path(id), &json!({ "role": "admin" }));
        assert_eq!(answer.status, 403);
        let message =
            format!("boss has insufficient permissions to assign role 'admin' to client '{id}'");
        assert_eq!(answer.message(), message);
    }
    let new = json!({ "client_secret": SECRET, "role": "admin" });
    assert_eq!(manager.put(&path("new"), &new).status, 403);
    assert_eq!(manager.get(&path("new")).status, 404);
    assert_eq!(manager.put(&path("ci"), &json!({ "role": "manager" })).status, 200);
    let contributor = server.client("cd", "contributor");
    assert_eq!(contributor.put(&path("cd"), &json!({ "role": "user" })).status, 403);
    assert_eq!(server.anonymous().put(&path("cd"), &json!({})).status, 401);
}

#[test]
fn the_first_admin_and_the_last_one_are_changed_at_the_machine_only() {
    let server = TestServer::start();
    let first = server.client("testflinger-admin", "admin");
    let answer = first.put(&path("testflinger-admin"), &json!({ "max_priority": {} }));
    assert_eq!(answer.status, 422);
    let message = "Error: System admin client cannot by modified from API.";
    assert_eq!(answer.message(), message);
    server.local().edit("testflinger-admin", &json!({ "role": "contributor" }));

    let last = server.client("root", "admin");
    let demote = json!({ "role": "manager" });
    let answer = last.put(&path("root"), &demote);
    assert_eq!(answer.status, 422);
    assert_eq!(answer.message(), "Error: The last admin client cannot be demoted from API.");
    assert_eq!(last.put(&path("root"), &json!({ "max_priority": { "*": 5 } })).status, 200);
    assert_eq!(last.put(&path("root"), &json!({ "role": "admin" })).status, 200);
    server.client("other", "admin");
    assert_eq!(last.put(&path("root"), &demote).status, 200);
    server.local().edit("other", &demote);
}
