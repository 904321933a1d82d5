//! Queues are restricted to their owners and opened again.

use serde_json::{Value, json};

use crate::support::{Answer, Caller, TestServer};

const PATH: &str = "/v1/restricted-queues";

/// An agent that serves the queues `rq` and `free`.
fn with_an_agent() -> TestServer {
    let server = TestServer::start();
    let body = json!({ "state": "waiting", "queues": ["rq", "free"] });
    assert_eq!(server.anonymous().post("/v1/agents/data/rig", &body).status, 200);
    server
}

fn delete(caller: &Caller, queue: &str, owner: &str) -> Answer {
    let body = json!({ "client_id": owner }).to_string();
    caller.json("DELETE", &format!("{PATH}/{queue}"), &body)
}

fn add(caller: &Caller, queue: &str, owner: &str) -> Answer {
    caller.post(&format!("{PATH}/{queue}"), &json!({ "client_id": owner }))
}

fn ok() -> (u16, String) {
    (200, "OK".to_owned())
}

fn restricted_to(server: &TestServer) -> Value {
    let agent = server.anonymous().get("/v1/agents/data/rig").value();
    let listed = server.anonymous().get("/v1/agents/data").value()[0].clone();
    assert_eq!(agent["restricted_to"], listed["restricted_to"]);
    agent["restricted_to"].clone()
}

#[test]
fn a_queue_gets_owners_and_shows_them() {
    let server = with_an_agent();
    let manager = server.client("boss", "manager");
    server.client("one", "contributor");
    server.client("two", "contributor");
    assert_eq!(manager.get(PATH).seen(), (200, "[]\n".to_owned()));
    assert_eq!(restricted_to(&server), json!({}));
    for owner in ["two", "one", "one"] {
        assert_eq!(add(&manager, "rq", owner).seen(), ok());
    }
    let shown = "{\"owners\":[\"one\",\"two\"],\"queue\":\"rq\"}";
    assert_eq!(manager.get(PATH).seen(), (200, format!("[{shown}]\n")));
    assert_eq!(manager.get("/v1/restricted-queues/rq").seen(), (200, format!("{shown}\n")));
    assert_eq!(restricted_to(&server), json!({ "rq": ["one", "two"] }));
    let allowed = &manager.get("/v1/client-permissions/one").value()["allowed_queues"];
    assert_eq!(*allowed, json!(["rq"]));
}

#[test]
fn every_status_of_the_api_reference() {
    let server = with_an_agent();
    let manager = server.client("boss", "manager");
    server.client("one", "contributor");
    let missing = [json!({}), json!({ "client_id": "" }), json!({ "client_id": null })];
    for body in &missing {
        let answer = manager.post("/v1/restricted-queues/rq", body);
        assert_eq!((answer.status, answer.message().as_str()), (400, "Error: Missing client ID."));
        let answer = manager.json("DELETE", "/v1/restricted-queues/rq", &body.to_string());
        assert_eq!((answer.status, answer.message().as_str()), (400, "Error: Missing client ID."));
    }
    assert_eq!(manager.delete("/v1/restricted-queues/rq").status, 400);
    for (answer, message) in [
        (add(&manager, "rq", "nobody"), "Error: Specified client_id does not exist."),
        (add(&manager, "other", "nobody"), "Error: Specified client_id does not exist."),
        (add(&manager, "other", "one"), "Error: No agent is associated with the specified queue."),
        (delete(&manager, "rq", "one"), "Error: Restricted queue not found."),
        (manager.get("/v1/restricted-queues/rq"), "Error: Restricted queue not found."),
    ] {
        assert_eq!((answer.status, answer.message().as_str()), (404, message));
    }
    let unknown = json!({ "client_id": "one", "x": 1 });
    assert_eq!(manager.post("/v1/restricted-queues/rq", &unknown).status, 422);
    let (contributor, anyone) = (server.bearer(&server.token("one")), server.anonymous());
    assert_eq!(contributor.get(PATH).status, 200);
    assert_eq!(add(&contributor, "rq", "one").status, 403);
    assert_eq!(delete(&contributor, "rq", "one").status, 403);
    assert_eq!(anyone.get(PATH).status, 401);
    assert_eq!(add(&anyone, "rq", "one").status, 401);
    assert_eq!(delete(&anyone, "rq", "one").status, 401);
}

#[test]
fn a_queue_stays_restricted_until_its_last_owner_goes() {
    let server = with_an_agent();
    let manager = server.client("boss", "manager");
    for owner in ["one", "two"] {
        server.client(owner, "contributor");
        assert_eq!(add(&manager, "rq", owner).seen(), ok());
    }
    let anyone = server.anonymous();
    let submit = || anyone.post("/v1/job", &json!({ "job_queue": "rq" })).status;
    assert_eq!(delete(&manager, "rq", "one").seen(), ok());
    assert_eq!(submit(), 401);
    assert_eq!(restricted_to(&server), json!({ "rq": ["two"] }));
    let allowed = &manager.get("/v1/client-permissions/one").value()["allowed_queues"];
    assert_eq!(*allowed, json!([]));
    // Removing a client that owns nothing takes nothing from the others.
    assert_eq!(delete(&manager, "rq", "one").seen(), ok());
    assert_eq!(delete(&manager, "rq", "nobody").seen(), ok());
    assert_eq!(submit(), 401);
    assert_eq!(delete(&manager, "rq", "two").seen(), ok());
    assert_eq!(submit(), 200);
    assert_eq!(restricted_to(&server), json!({}));
    assert_eq!(manager.get("/v1/restricted-queues/rq").status, 404);
}

#[test]
fn deleting_the_last_owners_client_leaves_the_queue_restricted() {
    let server = with_an_agent();
    let admin = server.client("root", "admin");
    server.client("one", "contributor");
    assert_eq!(add(&admin, "rq", "one").seen(), ok());
    assert_eq!(admin.delete("/v1/client-permissions/one").status, 200);
    let job = json!({ "job_queue": "rq" });
    assert_eq!(server.anonymous().post("/v1/job", &job).status, 401);
    assert_eq!(admin.post("/v1/job", &job).status, 403);
    let shown = admin.get("/v1/restricted-queues/rq").value();
    assert_eq!(shown, json!({ "owners": [], "queue": "rq" }));
    // Agents only ask for restricted queues that somebody owns.
    assert_eq!(restricted_to(&server), json!({}));
    // A new client of that name is not an owner.
    server.client("one", "contributor");
    assert_eq!(server.bearer(&server.token("one")).post("/v1/job", &job).status, 403);
    assert_eq!(add(&admin, "rq", "one").seen(), ok());
    assert_eq!(server.bearer(&server.token("one")).post("/v1/job", &job).status, 200);
}

#[test]
fn the_local_administrator_restricts_before_agents_appear_and_opens_for_all() {
    let server = TestServer::start();
    for owner in ["one", "two"] {
        server.client(owner, "contributor");
        server.local().restrict("rq", owner);
    }
    let open = || server.local().send("DELETE", "/admin/restricted-queues/rq", None);
    assert_eq!(open().seen(), ok());
    assert_eq!(server.anonymous().post("/v1/job", &json!({ "job_queue": "rq" })).status, 200);
    let one = server.local().send("GET", "/v1/client-permissions/one", None).value();
    assert_eq!(one["allowed_queues"], json!([]));
    assert_eq!(open().status, 404);
}

#[test]
fn restrictions_survive_a_restart() {
    let mut server = with_an_agent();
    server.client("one", "contributor");
    server.local().restrict("rq", "one");
    server.restart();
    assert_eq!(restricted_to(&server), json!({ "rq": ["one"] }));
    assert_eq!(server.anonymous().post("/v1/job", &json!({ "job_queue": "rq" })).status, 401);
}
