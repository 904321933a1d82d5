use serde_json::json;

use crate::support::TestServer;

fn path(id: &str) -> String {
    format!("/v1/client-permissions/{id}")
}

#[test]
fn a_deleted_client_is_gone() {
    let server = TestServer::start();
    let admin = server.client("root", "admin");
    server.client("ci", "contributor");
    assert_eq!(admin.delete(&path("ci")).seen(), (200, "OK".to_owned()));
    for answer in [admin.get(&path("ci")), admin.delete(&path("ci"))] {
        assert_eq!(answer.status, 404);
        assert_eq!(answer.message(), "Error: Specified client_id does not exist.");
    }
}

#[test]
fn only_admins_delete() {
    let server = TestServer::start();
    let manager = server.client("boss", "manager");
    server.client("ci", "contributor");
    let answer = manager.delete(&path("ci"));
    assert_eq!(answer.status, 403);
    assert_eq!(answer.message(), "Specified action requires role: admin");
    assert_eq!(server.anonymous().delete(&path("ci")).status, 401);
    assert_eq!(manager.get(&path("ci")).status, 200);
}

#[test]
fn the_first_admin_and_the_last_one_are_deleted_at_the_machine_only() {
    let server = TestServer::start();
    server.client("testflinger-admin", "admin");
    let root = server.client("root", "admin");
    let answer = root.delete(&path("testflinger-admin"));
    assert_eq!(answer.status, 422);
    assert_eq!(answer.message(), "Error: System admin client cannot by deleted from API.");
    let at_the_machine = |id: &str| server.local().send("DELETE", &path(id), None).status;
    assert_eq!(at_the_machine("testflinger-admin"), 200);
    let answer = root.delete(&path("root"));
    assert_eq!(answer.status, 422);
    assert_eq!(answer.message(), "Error: The last admin client cannot be deleted from API.");
    server.local().create("other", &json!({ "role": "admin" }));
    assert_eq!(root.delete(&path("root")).status, 200);
    assert_eq!(at_the_machine("other"), 200);
}

#[test]
fn a_token_of_a_deleted_client_is_no_token_of_the_next_one_of_that_name() {
    let server = TestServer::start();
    let root = server.client("root", "admin");
    let first = server.client("boss", "manager");
    assert_eq!(first.get(&path("boss")).status, 200);
    assert_eq!(root.delete(&path("boss")).status, 200);
    server.pass(std::time::Duration::from_secs(1));
    let second = server.client("boss", "manager");
    assert_eq!(second.get(&path("boss")).status, 200);
    let answer = first.get(&path("boss"));
    assert_eq!((answer.status, answer.message()), (403, "Invalid Token".to_owned()));
}
