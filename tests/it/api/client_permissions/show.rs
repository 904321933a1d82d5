use serde_json::json;

use crate::support::TestServer;

#[test]
fn clients_are_shown_without_their_secrets_and_without_what_was_never_set() {
    let server = TestServer::start();
    let manager = server.client("boss", "manager");
    let rights = json!({ "max_priority": { "q": 1 }, "email": "ci@example.com" });
    server.client_with("ci", &rights);
    let one = manager.get("/v1/client-permissions/ci");
    let text = "{\"client_id\":\"ci\",\"email\":\"ci@example.com\",\"max_priority\":{\"q\":1},\
                \"max_reservation_time\":{},\"role\":\"contributor\"}";
    assert_eq!(one.seen(), (200, format!("{text}\n")));
    let list = manager.get("/v1/client-permissions");
    let boss = "{\"client_id\":\"boss\",\"max_priority\":{},\"max_reservation_time\":{},\
                \"role\":\"manager\"}";
    assert_eq!(list.seen(), (200, format!("[{boss},{text}]\n")));
    server.local().restrict("rq", "ci");
    let value = manager.get("/v1/client-permissions/ci").value();
    assert_eq!(value["allowed_queues"], json!(["rq"]));
}

#[test]
fn an_unknown_client_is_not_found() {
    let server = TestServer::start();
    let answer = server.client("boss", "manager").get("/v1/client-permissions/nobody");
    assert_eq!(answer.status, 404);
    assert_eq!(answer.message(), "Error: Specified client_id does not exist.");
}

#[test]
fn ids_with_odd_characters_are_found_by_their_encoded_path() {
    let server = TestServer::start();
    let admin = server.client("root", "admin");
    for (id, path) in [("a b", "a%20b"), ("\u{e9}?#%", "%C3%A9%3F%23%25"), ("..", "%2E%2E")] {
        let body = json!({ "client_id": id, "client_secret": "my-secret-password" });
        assert_eq!(admin.post("/v1/client-permissions", &body).status, 200);
        let path = format!("/v1/client-permissions/{path}");
        assert_eq!(admin.get(&path).value()["client_id"], id);
        assert_eq!(admin.delete(&path).status, 200);
    }
}

#[test]
fn more_clients_than_one_page_are_listed_once_each() {
    let server = TestServer::start();
    for n in 0..300 {
        server.local().create(&format!("client-{n:03}"), &json!({}));
    }
    let manager = server.client("boss", "manager");
    let list = manager.get("/v1/client-permissions").value();
    let ids: std::collections::BTreeSet<&str> =
        list.as_array().unwrap().iter().map(|row| row["client_id"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), list.as_array().unwrap().len()), (301, 301));
}
