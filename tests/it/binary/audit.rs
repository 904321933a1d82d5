//! The audit log.

use serde_json::{Value, json};

use crate::support::auth::{SECRET, Socket, basic, raw};
use crate::support::{Program, until};

fn events(program: &Program) -> Vec<Value> {
    let lines = program.log();
    let values = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    values.filter(|value| value["target"] == "audit").map(|value| value["fields"].clone()).collect()
}

#[test]
fn every_security_event_has_a_line_and_no_line_has_a_secret() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::serve_with(dir.path(), &["--log-format", "json", "--log", "debug"]);
    let local = Socket::of(dir.path());
    local.create("root", &json!({ "role": "admin", "client_secret": SECRET }));
    local.create("ci", &json!({ "client_secret": SECRET }));
    let log_in = |id: &str, secret: &str| {
        let authorization = basic(id, secret);
        let headers = [("Content-Length", "0"), ("Authorization", authorization.as_str())];
        raw(&program.url, "POST /v1/oauth2/token", &headers, "")
    };
    let wrong = "a wrong secret, quite long";
    assert_eq!(log_in("ci", wrong).status, 401);
    let (admin, ci) = (log_in("root", SECRET).value(), log_in("ci", SECRET).value());
    let word = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
    let bearer =
        |token: &str| program.anonymous().header("Authorization", &format!("Bearer {token}"));
    let admin_token = word(&admin, "access_token");
    assert_eq!(bearer(&word(&ci, "access_token")).get("/v1/client-permissions").status, 403);
    assert_eq!(bearer("garbage").get("/v1/job/search").status, 403);
    let put = json!({ "max_priority": { "q": 3 } });
    assert_eq!(bearer(&admin_token).put("/v1/client-permissions/ci", &put).status, 200);
    let refresh = json!({ "refresh_token": word(&ci, "refresh_token") });
    assert_eq!(bearer(&admin_token).post("/v1/oauth2/revoke", &refresh).status, 200);
    assert_eq!(program.anonymous().post("/v1/oauth2/refresh", &refresh).status, 400);
    assert_eq!(bearer(&admin_token).delete("/v1/client-permissions/ci").status, 200);
    until("the last event is logged", || {
        events(&program).iter().any(|event| event["event"] == "user_deleted")
    });
    let found = events(&program);
    for (event, subject, by) in [
        ("user_created", "ci", "(local administrator)"),
        ("authn_login_fail", "ci", ""),
        ("authn_login_success", "ci", ""),
        ("authn_token_created", "ci", ""),
        ("authz_fail", "/v1/client-permissions", "ci"),
        ("authn_token_fail", "/v1/job/search", ""),
        ("user_updated", "ci", "root"),
        ("authn_token_revoked", "ci", "root"),
        ("authn_token_reuse", "ci", ""),
        ("user_deleted", "ci", "root"),
    ] {
        let matching = found.iter().filter(|line| {
            line["event"] == event
                && line["subject"] == json!(format!("{subject:?}"))
                && line["by"] == by
        });
        let matching: Vec<&Value> = matching.collect();
        assert!(!matching.is_empty(), "{event} {subject} by {by:?}: {found:#?}");
        let from_network = by != "(local administrator)";
        assert!(matching.iter().all(|line| (line["address"] == "127.0.0.1") == from_network));
    }
    let log = program.log().join("\n");
    for (name, secret) in [
        ("secret", SECRET.to_owned()),
        ("wrong secret", wrong.to_owned()),
        ("basic", basic("ci", SECRET)),
        ("access token", admin_token),
        ("refresh token", word(&ci, "refresh_token")),
        ("hash", "$argon2".to_owned()),
    ] {
        assert!(!log.contains(&secret), "the log has the {name}");
    }
}

#[test]
fn a_name_from_outside_cannot_forge_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::serve(dir.path());
    let forged = "x\n2026-01-01T00:00:00Z  INFO audit: event=\"authn_login_success\" root";
    let authorization = basic(forged, SECRET);
    let headers = [("Content-Length", "0"), ("Authorization", authorization.as_str())];
    assert_eq!(raw(&program.url, "POST /v1/oauth2/token", &headers, "").status, 401);
    until("the failure is logged", || program.log().iter().any(|line| line.contains("login_fail")));
    assert!(
        !program.log().iter().any(|line| line.starts_with("2026-01-01")),
        "{:?}",
        program.log()
    );
}
