use serde_json::{Value, json};

use crate::support::auth::SECRET;
use crate::support::{Answer, TestServer};

fn post(server: &TestServer, path: &str, who: &str, token: &Value) -> Answer {
    let caller = server.bearer(&server.token(who));
    caller.post(path, &json!({ "refresh_token": token }))
}

#[test]
fn a_revoked_refresh_token_is_dead_and_others_live() {
    let server = TestServer::start();
    server.client("root", "admin");
    server.client("ci", "contributor");
    let issue = || server.log_in("ci", SECRET).value()["refresh_token"].clone();
    let (first, second) = (issue(), issue());
    let revoke = |token: &Value| post(&server, "/v1/oauth2/revoke", "root", token);
    let refresh = |token: &Value| post(&server, "/v1/oauth2/refresh", "root", token);
    assert_eq!(revoke(&first).seen(), (200, "{\"status\":\"OK\"}\n".to_owned()));
    let answer = refresh(&first);
    assert_eq!((answer.status, answer.message().as_str()), (400, "Refresh token revoked."));
    let answer = revoke(&first);
    let again = "Refresh token has already been revoked";
    assert_eq!((answer.status, answer.message().as_str()), (400, again));
    assert_eq!(refresh(&second).status, 200);
    let answer = revoke(&json!("unknown"));
    assert_eq!((answer.status, answer.message().as_str()), (400, "Refresh token not found"));
}

#[test]
fn only_an_admin_revokes_not_even_the_owner() {
    let server = TestServer::start();
    server.client("boss", "manager");
    let token = server.log_in("boss", SECRET).value()["refresh_token"].clone();
    let answer = post(&server, "/v1/oauth2/revoke", "boss", &token);
    assert_eq!(answer.status, 403);
    assert_eq!(answer.message(), "Specified action requires role: admin");
    let body = json!({ "refresh_token": token });
    assert_eq!(server.anonymous().post("/v1/oauth2/revoke", &body).status, 401);
    assert_eq!(server.anonymous().post("/v1/oauth2/refresh", &body).status, 200);
}
