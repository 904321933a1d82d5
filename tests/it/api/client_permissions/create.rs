use serde_json::json;

use crate::support::TestServer;
use crate::support::auth::{SECRET, claims};

const PATH: &str = "/v1/client-permissions";

#[test]
fn the_references_example_creates_a_client_that_can_log_in() {
    let server = TestServer::start();
    let admin = server.client("root", "admin");
    let body = json!({
        "client_id": "foo",
        "client_secret": "my-secret-password",
        "max_priority": {},
        "max_reservation_time": { "*": 40_000 },
        "role": "contributor",
    });
    assert_eq!(admin.post(PATH, &body).seen(), (200, "OK".to_owned()));
    let login = server.log_in("foo", "my-secret-password").value();
    let permissions = &claims(login["access_token"].as_str().unwrap())["permissions"];
    assert_eq!(permissions["max_reservation_time"], json!({ "*": 40_000 }));
    let answer = admin.post(PATH, &body);
    assert_eq!((answer.status, answer.message().as_str()), (409, "Error: Client already exists"));
}

#[test]
fn an_id_and_a_secret_are_enough() {
    let server = TestServer::start();
    let admin = server.client("root", "admin");
    let body = json!({ "client_id": "foo", "client_secret": "my-secret-password" });
    assert_eq!(admin.post(PATH, &body).status, 200);
    assert_eq!(server.log_in("foo", "my-secret-password").status, 200);
    assert_eq!(admin.get(&format!("{PATH}/foo")).value()["role"], "contributor");
}

#[test]
fn an_id_or_secret_that_is_missing_is_a_bad_request_before_anything_else() {
    let server = TestServer::start();
    let admin = server.client("root", "admin");
    for body in [
        json!({}),
        json!({ "client_id": "foo" }),
        json!({ "client_secret": SECRET }),
        json!({ "client_id": "", "client_secret": SECRET }),
        json!({ "client_id": "foo", "client_secret": "" }),
        json!({ "client_id": null, "client_secret": SECRET }),
        json!({ "client_id": "foo", "role": "god", "unknown": 1 }),
    ] {
        let answer = admin.post(PATH, &body);
        let message = "Error: Missing client_id or client_secret in request body";
        assert_eq!((answer.status, answer.message().as_str()), (400, message), "{body}");
    }
}

#[test]
fn members_that_are_wrong_are_all_reported() {
    let server = TestServer::start();
    let admin = server.client("root", "admin");
    let body = json!({
        "client_id": "foo",
        "client_secret": SECRET,
        "max_priority": { "a": "x" },
        "max_reservation_time": 5,
        "role": "god",
        "colour": "red",
        "allowed_queues": ["rq"],
    });
    let answer = admin.post(PATH, &body);
    assert_eq!(answer.status, 422);
    assert_eq!(
        answer.value()["detail"]["json"],
        json!({
            "max_priority": { "a": { "value": ["Not a valid integer."] } },
            "max_reservation_time": ["Not a valid mapping type."],
            "role": ["Must be one of: admin, manager, contributor, user."],
            "colour": ["Unknown field."],
            "allowed_queues": ["Unknown field."],
        })
    );
    assert!(!answer.text().contains(SECRET));
}

#[test]
fn nobody_creates_a_client_above_themselves() {
    let server = TestServer::start();
    let (manager, contributor) =
        (server.client("boss", "manager"), server.client("ci", "contributor"));
    let body =
        |id: &str, role: &str| json!({ "client_id": id, "client_secret": SECRET, "role": role });
    let answer = manager.post(PATH, &body("foo", "admin"));
    assert_eq!(answer.status, 403);
    assert_eq!(answer.message(), "Insufficient permissions to create client with role: admin");
    // The error that the client exists comes first.
    assert_eq!(manager.post(PATH, &body("ci", "admin")).status, 409);
    for role in ["manager", "contributor", "agent", "user"] {
        assert_eq!(manager.post(PATH, &body(role, role)).status, 200, "{role}");
    }
    assert_eq!(contributor.post(PATH, &body("foo", "user")).status, 403);
    assert_eq!(server.anonymous().post(PATH, &body("foo", "user")).status, 401);
}

#[test]
fn the_name_of_the_first_admin_cannot_be_taken_over_http() {
    let server = TestServer::start();
    let manager = server.client("boss", "manager");
    let body = json!({ "client_id": "testflinger-admin", "client_secret": SECRET });
    let answer = manager.post(PATH, &body);
    assert_eq!(answer.status, 422);
    let message = "Error: System admin client cannot by modified from API.";
    assert_eq!(answer.message(), message);
    let body = json!({ "client_secret": SECRET });
    let answer = manager.put(&format!("{PATH}/testflinger-admin"), &body);
    assert_eq!((answer.status, answer.message().as_str()), (422, message));
}
