use std::time::Duration;

use serde_json::{Value, json};
use testflinger_server::config::{Raw, Span};

use crate::support::auth::{SECRET, claims};
use crate::support::{Answer, TestServer};

const DAY: Duration = Duration::from_hours(24);

fn refresh_token(server: &TestServer, id: &str) -> Value {
    server.log_in(id, SECRET).value()["refresh_token"].clone()
}

fn refresh(server: &TestServer, token: &Value) -> Answer {
    server.anonymous().post("/v1/oauth2/refresh", &json!({ "refresh_token": token }))
}

#[test]
fn a_refresh_token_gives_a_new_access_token() {
    let server = TestServer::start();
    server.client("ci", "contributor");
    let token = refresh_token(&server, "ci");
    server.pass(Duration::from_hours(1));
    for _ in 0..2 {
        let value = refresh(&server, &token).value();
        assert_eq!(value.as_object().unwrap().len(), 3, "{value}");
        assert_eq!((&value["expires_in"], &value["token_type"]), (&json!(600), &json!("Bearer")));
        let claims = claims(value["access_token"].as_str().unwrap());
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);
        assert_eq!(claims["iat"], 1_795_435_200 + 3600);
        assert_eq!(claims["sub"], "access_token");
    }
}

#[test]
fn the_rights_are_read_again_at_each_refresh() {
    let server = TestServer::start();
    server.client("ci", "contributor");
    let token = refresh_token(&server, "ci");
    server.local().edit("ci", &json!({ "role": "manager", "max_priority": { "*": 7 } }));
    let value = refresh(&server, &token).value();
    let access = value["access_token"].as_str().unwrap();
    let permissions = &claims(access)["permissions"];
    assert_eq!(permissions["role"], "manager");
    assert_eq!(permissions["max_priority"], json!({ "*": 7 }));
    assert_eq!(server.bearer(access).get("/v1/client-permissions").status, 200);
}

#[test]
fn what_is_no_refresh_token_is_refused_in_upstreams_words() {
    let server = TestServer::start();
    let access = {
        server.client("ci", "contributor");
        json!(server.token("ci"))
    };
    let long = json!("x".repeat(10_000));
    for unknown in [json!("x"), access, long] {
        let answer = refresh(&server, &unknown);
        assert_eq!((answer.status, answer.message().as_str()), (400, "Invalid refresh token."));
    }
    for (body, message) in [
        (json!({}), "Missing data for required field."),
        (json!({ "refresh_token": "" }), "Shorter than minimum length 1."),
        (json!({ "refresh_token": null }), "Field may not be null."),
        (json!({ "refresh_token": 5 }), "Not a valid string."),
    ] {
        let answer = server.anonymous().post("/v1/oauth2/refresh", &body);
        assert_eq!(answer.status, 422);
        let expected = json!({ "json": { "refresh_token": [message] } });
        assert_eq!(answer.value()["detail"], expected, "{body}");
    }
}

#[test]
fn a_refresh_token_lives_as_long_as_it_is_used() {
    let server = TestServer::start();
    server.client("ci", "contributor");
    let (used, unused) = (refresh_token(&server, "ci"), refresh_token(&server, "ci"));
    for _ in 0..4 {
        server.pass(DAY * 30);
        assert_eq!(refresh(&server, &used).status, 200);
    }
    let answer = refresh(&server, &unused);
    assert_eq!((answer.status, answer.message().as_str()), (400, "Refresh token expired"));
}

#[test]
fn how_long_a_refresh_token_may_be_idle_is_a_setting() {
    let keep = Some(Span(Duration::from_mins(1)));
    let server = TestServer::with(Raw { keep_refresh_tokens: keep, ..Raw::default() });
    server.client("ci", "contributor");
    let token = refresh_token(&server, "ci");
    server.pass(Duration::from_mins(1));
    assert_eq!(refresh(&server, &token).status, 200);
    server.pass(Duration::from_secs(61));
    assert_eq!(refresh(&server, &token).message(), "Refresh token expired");
}

#[test]
fn refresh_tokens_survive_a_restart_and_access_tokens_too() {
    let mut server = TestServer::start();
    server.client("boss", "manager");
    let (refresh_token, access) = (refresh_token(&server, "boss"), server.token("boss"));
    server.restart();
    assert_eq!(refresh(&server, &refresh_token).status, 200);
    assert_eq!(server.bearer(&access).get("/v1/client-permissions").status, 200);
}

#[test]
fn a_new_secret_ends_what_was_issued_for_the_old_one() {
    let server = TestServer::start();
    let admin = server.client("root", "admin");
    server.client("ci", "contributor");
    let over_http = refresh_token(&server, "ci");
    let new = json!({ "client_secret": "another secret, quite long" });
    assert_eq!(admin.put("/v1/client-permissions/ci", &new).status, 200);
    assert_eq!(refresh(&server, &over_http).message(), "Invalid refresh token.");

    server.client("cd", "contributor");
    let at_the_machine = refresh_token(&server, "cd");
    server.local().edit("cd", &json!({ "role": "manager" }));
    assert_eq!(refresh(&server, &at_the_machine).status, 200, "the secret is the same");
    server.local().edit("cd", &new);
    assert_eq!(refresh(&server, &at_the_machine).message(), "Invalid refresh token.");
}
