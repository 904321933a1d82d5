//! The audit log.

use std::collections::BTreeMap;

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
    let updated = found.iter().find(|event| event["event"] == "user_updated").unwrap();
    assert_eq!(updated["detail"], r#"max_priority "" -> "q=3""#);
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
                && line["subject"] == subject
                && line["by"].as_str().unwrap_or_default() == by
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

#[test]
fn an_agent_without_a_token_is_explained_to_its_administrator_once() {
    for mode in ["contributor", "locked"] {
        let dir = tempfile::tempdir().unwrap();
        let program = Program::serve_with(dir.path(), &["--access", mode]);
        let anyone = program.anonymous();
        let hints = |agent: &str| {
            let hint = |line: &&String| line.contains("needs a token") && line.contains(agent);
            program.log().iter().filter(hint).count()
        };
        for agent in ["rig-1", "rig-1", "rig-2", "rig-1"] {
            let path = format!("/v1/agents/data/{agent}");
            let refused = anyone.post(&path, &json!({ "state": "waiting" })).status;
            assert!([401, 403].contains(&refused), "{refused}");
            anyone.get(&path);
        }
        until("the second agent is explained", || hints("rig-2") == 1);
        assert_eq!(hints("rig-1"), 1);
    }
}

/// Lines of the audit log, as (event, subject, by, address), with how often each occurs.
fn counted(log: &[String]) -> BTreeMap<(String, String, String, String), usize> {
    let mut found = BTreeMap::new();
    for line in log {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["target"] == "audit" {
            let fields = line["fields"].as_object().unwrap();
            assert!(fields.values().all(|value| value != ""), "an empty field: {line}");
            let text = |name: &str| line["fields"][name].as_str().unwrap_or_default().to_owned();
            let key = (text("event"), text("subject"), text("by"), text("address"));
            *found.entry(key).or_default() += 1;
        }
    }
    found
}

#[test]
fn each_event_is_logged_once_with_who_and_where_and_never_with_a_secret() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::serve_with(dir.path(), &["--log-format", "json", "--log", "debug"]);
    let new_secret = "another secret, also long";
    let wrong = "a wrong secret, as long";
    let mut bodies = Vec::new();
    let local = Socket::of(dir.path());
    let bearer =
        |token: &str| program.anonymous().header("Authorization", &format!("Bearer {token}"));

    // The local administrator.
    local.create("root", &json!({ "role": "admin", "client_secret": SECRET }));
    local.create("ci", &json!({ "client_secret": SECRET }));
    local.edit("ci", &json!({ "role": "manager" }));
    local.restrict("rq", "ci");
    local.send("DELETE", "/admin/restricted-queues/rq", None);
    // Logins.
    bodies.push(program.log_in("ci", wrong));
    bodies.push(program.log_in("nobody\n", wrong));
    let login = program.log_in("root", SECRET).value();
    let (access, refresh) =
        (login["access_token"].as_str().unwrap(), login["refresh_token"].as_str().unwrap());
    let body = json!({ "refresh_token": refresh });
    let anyone = program.anonymous();
    let root = bearer(access);
    let refreshed = anyone.post("/v1/oauth2/refresh", &body).value();
    // Management over HTTP.
    let path = "/v1/client-permissions";
    let made = json!({ "client_id": "made", "client_secret": SECRET });
    assert_eq!(root.post(path, &made).status, 200);
    assert_eq!(
        root.put(&format!("{path}/made"), &json!({ "client_secret": new_secret })).status,
        200
    );
    assert_eq!(root.put(&format!("{path}/put"), &json!({ "client_secret": SECRET })).status, 200);
    assert_eq!(root.delete(&format!("{path}/put")).status, 200);
    anyone.post("/v1/agents/data/rig", &json!({ "queues": ["rq"] }));
    let owner = json!({ "client_id": "made" });
    assert_eq!(root.post("/v1/restricted-queues/rq", &owner).status, 200);
    let removed = root.json("DELETE", "/v1/restricted-queues/rq", &owner.to_string());
    assert_eq!(removed.status, 200);
    // Refusals.
    bodies.push(anyone.get(path));
    bodies.push(bearer(&format!("{access}x")).get("/v1/job/search"));
    let made = program.log_in("made", new_secret).value();
    let made = bearer(made["access_token"].as_str().unwrap());
    bodies.push(made.get(&format!("{path}/root")));
    bodies.push(
        root.post(path, &json!({ "client_id": "x", "client_secret": SECRET, "role": SECRET })),
    );
    bodies.push(root.put(&format!("{path}/x"), &json!({ "client_secret": "too short!" })));
    // A refresh token is revoked and used again.
    assert_eq!(root.post("/v1/oauth2/revoke", &body).status, 200);
    bodies.push(anyone.post("/v1/oauth2/refresh", &body));
    bodies.push(anyone.post("/v1/oauth2/refresh", &json!({ "refresh_token": "guessed" })));
    // Too many guesses.
    for _ in 0..10 {
        bodies.push(program.log_in("guessed", wrong));
    }
    bodies.push(program.log_in("guessed", wrong));
    let argv = std::fs::read_to_string(format!("/proc/{}/cmdline", program.pid())).unwrap();
    let key = std::fs::read_to_string(dir.path().join("keys/jwt.key")).unwrap();
    let log = program.stop();

    let local = "(local administrator)";
    let at = "127.0.0.1";
    let expected = [
        (("user_created", "root", local, ""), 1),
        (("user_created", "ci", local, ""), 1),
        (("user_updated", "ci", local, ""), 1),
        (("authz_change", "ci", local, ""), 1),
        (("authz_change", "rq", local, ""), 1),
        (("authn_login_fail", "ci", "", at), 1),
        (("authn_login_fail", "nobody\n", "", at), 1),
        (("authn_login_success", "root", "", at), 1),
        // Access and refresh token of the login, access token of the refresh.
        (("authn_token_created", "root", "", at), 3),
        (("user_created", "made", "root", at), 1),
        (("user_updated", "made", "root", at), 1),
        (("user_created", "put", "root", at), 1),
        (("user_deleted", "put", "root", at), 1),
        (("authz_change", "made", "root", at), 2),
        (("authz_fail", "/v1/client-permissions", "", at), 1),
        (("authn_token_fail", "/v1/job/search", "", at), 1),
        (("authn_login_success", "made", "", at), 1),
        (("authn_token_created", "made", "", at), 2),
        (("authz_fail", "/v1/client-permissions/root", "made", at), 1),
        (("authn_token_revoked", "root", "root", at), 1),
        (("authn_token_reuse", "root", "", at), 1),
        (("authn_token_fail", "", "", at), 1),
        (("authn_login_fail", "guessed", "", at), 10),
        (("excess_rate_limit_exceeded", "guessed", "", at), 1),
    ];
    let expected: BTreeMap<_, usize> = expected
        .into_iter()
        .map(|((event, subject, by, address), times)| {
            ((event.to_owned(), subject.to_owned(), by.to_owned(), address.to_owned()), times)
        })
        .collect();
    assert_eq!(counted(&log), expected, "{log:#?}");

    let log = log.join("\n");
    let refreshed = refreshed["access_token"].as_str().unwrap();
    let secrets = [SECRET, new_secret, wrong, "too short!", access, refreshed, refresh, &key];
    for secret in secrets.into_iter().chain(["$argon2", "Basic ", "Bearer "]) {
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
        assert!(!argv.contains(secret), "{secret} is in {argv}");
        for body in &bodies {
            assert!(!body.text().contains(secret), "{secret} is in {}", body.text());
        }
    }
}

#[test]
fn attempts_to_rise_above_ones_role_are_logged() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::serve_with(dir.path(), &["--log-format", "json"]);
    let local = Socket::of(dir.path());
    local.create("root", &json!({ "role": "admin", "client_secret": SECRET }));
    local.create("boss", &json!({ "role": "manager", "client_secret": SECRET }));
    let boss = program.client("boss");
    let path = "/v1/client-permissions";
    assert_eq!(boss.put(&format!("{path}/boss"), &json!({ "role": "admin" })).status, 403);
    let body = json!({ "client_id": "x", "client_secret": SECRET, "role": "admin" });
    assert_eq!(boss.post(path, &body).status, 403);
    let urgent = json!({ "job_queue": "q", "job_priority": 9 });
    assert_eq!(boss.post("/v1/job", &urgent).status, 403);
    let events = counted(&program.stop());
    let fails = |subject: &str| {
        let key = ["authz_fail", subject, "boss", "127.0.0.1"].map(str::to_owned).into();
        events.get(&key).copied()
    };
    for path in ["/v1/client-permissions/boss", "/v1/client-permissions", "/v1/job"] {
        assert_eq!(fails(path), Some(1), "{path}: {events:#?}");
    }
}
