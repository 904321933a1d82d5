//! What an attacker would try.

use std::time::Duration;

use serde_json::{Value, json};
use testflinger_server::config::{Mode, Raw};

use crate::support::TestServer;
use crate::support::auth::{SECRET, claims, forge};

/// The start of the test's clock, in seconds.
const NOW: i64 = 1_795_435_200;

fn hs256() -> Value {
    json!({ "alg": "HS256", "typ": "JWT" })
}

/// Claims of an admin that are valid now.
fn admin_claims() -> Value {
    json!({
        "exp": NOW + 600,
        "iat": NOW,
        "sub": "access_token",
        "permissions": { "client_id": "root", "role": "admin" },
    })
}

#[track_caller]
fn assert_refused(server: &TestServer, token: &str, (status, message): (u16, &str)) {
    // Where a token is needed, and where none is.
    for path in ["/v1/client-permissions", "/v1/agents/queues"] {
        for header in [token.to_owned(), format!("Bearer {token}")] {
            let caller = server.anonymous().header("Authorization", &header);
            let answer = caller.get(path);
            assert_eq!((answer.status, answer.message().as_str()), (status, message), "{token}");
            assert!(!answer.text().contains(token) || token.len() < 4, "{token}");
        }
    }
}

#[test]
fn the_forger_of_these_tests_makes_tokens_that_pass() {
    let server = TestServer::start();
    server.client("root", "admin");
    let token = forge(&hs256(), &admin_claims(), &server.signing_key());
    assert_eq!(server.bearer(&token).get("/v1/client-permissions").status, 200);
}

#[test]
fn tokens_that_were_cut_or_signed_elsewhere_are_refused() {
    let server = TestServer::start();
    server.client("root", "admin");
    let good = server.token("root");
    let parts: Vec<&str> = good.split('.').collect();
    for cut in [
        parts[0].to_owned(),
        format!("{}.{}", parts[0], parts[1]),
        good[..parts[0].len() + 5].to_owned(),
        format!("{good}.{}", parts[2]),
        "garbage".to_owned(),
        "a".repeat(20_000),
    ] {
        assert_refused(&server, &cut, (403, "Unable to decode token"));
    }
    let first = if parts[2].starts_with('A') { 'B' } else { 'A' };
    let foreign = forge(&hs256(), &admin_claims(), b"another key");
    for bad in [
        foreign,
        format!("{}.{}.", parts[0], parts[1]),
        // It has the right length, because a shorter one may not be base64 at all, depending on its last bits.
        format!("{}.{}.{first}{}", parts[0], parts[1], &parts[2][1..]),
        forge(&hs256(), &admin_claims(), b""),
    ] {
        assert_refused(&server, &bad, (403, "Invalid Token signature"));
    }
    let other = TestServer::start();
    other.client("root", "admin");
    assert_refused(&server, &other.token("root"), (403, "Invalid Token signature"));
}

#[test]
fn no_other_algorithm_is_believed_even_when_the_signature_fits() {
    let server = TestServer::start();
    server.client("root", "admin");
    let key = server.signing_key();
    for algorithm in ["none", "None", "NONE", "hs256", "HS384", "HS512", "RS256", "ES256", ""] {
        let token = forge(&json!({ "alg": algorithm, "typ": "JWT" }), &admin_claims(), &key);
        assert_refused(&server, &token, (403, "Invalid Token"));
        let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
        assert_refused(&server, &unsigned, (403, "Invalid Token"));
    }
    let no_algorithm = forge(&json!({ "typ": "JWT" }), &admin_claims(), &key);
    assert_refused(&server, &no_algorithm, (403, "Invalid Token"));
}

#[test]
fn claims_that_are_absent_odd_or_out_of_time_are_refused_in_upstreams_words() {
    let server = TestServer::start();
    server.client("root", "admin");
    let key = server.signing_key();
    let with = |name: &str, value: Value| {
        let mut claims = admin_claims();
        claims[name] = value;
        forge(&hs256(), &claims, &key)
    };
    let without = |name: &str| {
        let mut claims = admin_claims();
        claims.as_object_mut().unwrap().remove(name);
        forge(&hs256(), &claims, &key)
    };
    for (token, status, message) in [
        (without("exp"), 403, "Token missing required claim: exp"),
        (without("iat"), 403, "Token missing required claim: iat"),
        (without("sub"), 403, "Token missing required claim: sub"),
        (without("permissions"), 403, "Invalid Token"),
        (with("permissions", json!({ "role": "admin" })), 403, "Invalid Token"),
        (with("permissions", json!({ "client_id": "root", "role": "god" })), 403, "Invalid Token"),
        (with("permissions", json!({ "client_id": "nobody" })), 403, "Invalid Token"),
        (with("sub", json!("refresh_token")), 403, "Invalid Token"),
        (with("exp", json!("2100")), 403, "Invalid Token"),
        (with("exp", json!(NOW - 5)), 401, "Token has expired"),
        (with("iat", json!(NOW + 6)), 401, "Token not yet valid"),
    ] {
        assert_refused(&server, &token, (status, message));
    }
}

#[test]
fn a_token_expires_after_ten_minutes_and_says_so() {
    let server = TestServer::start();
    server.client("root", "admin");
    let token = server.token("root");
    server.pass(Duration::from_secs(604));
    assert_eq!(server.bearer(&token).get("/v1/client-permissions").status, 200);
    server.pass(Duration::from_secs(1));
    assert_refused(&server, &token, (401, "Token has expired"));
}

#[test]
fn the_tokens_of_a_deleted_client_are_dead_at_once() {
    let server = TestServer::start();
    let admin = server.client("root", "admin");
    server.client("gone", "admin");
    let login = server.log_in("gone", SECRET).value();
    let (access, refresh) =
        (login["access_token"].as_str().unwrap(), login["refresh_token"].clone());
    assert_eq!(admin.delete("/v1/client-permissions/gone").seen(), (200, "OK".to_owned()));
    assert_refused(&server, access, (403, "Invalid Token"));
    let use_refresh =
        || server.anonymous().post("/v1/oauth2/refresh", &json!({ "refresh_token": refresh }));
    assert_eq!(use_refresh().status, 400);
    assert_eq!(use_refresh().message(), "Invalid refresh token.");
    assert_eq!(server.log_in("gone", SECRET).status, 401);
    // A new client of the same name does not bring the old one's refresh token back.
    server.client("gone", "user");
    assert_eq!(use_refresh().status, 400);
}

#[test]
fn an_unknown_id_and_a_wrong_secret_are_answered_with_the_same_bytes() {
    let server = TestServer::start();
    server.client("ci", "contributor");
    server.local().create("hashed", &json!({ "secret_hash": "$argon2id$nonsense" }));
    let seen = |id: &str, secret: &str| {
        let answer = server.log_in(id, secret);
        let mut headers = answer.headers.clone();
        headers.remove("date");
        headers.remove("x-request-id");
        (answer.status, headers, answer.body)
    };
    let wrong = seen("ci", "wrong");
    assert_eq!((wrong.0, wrong.2.as_slice()), (401, b"Invalid client id or client key".as_slice()));
    let control = "c\u{1}\r\ni";
    let long = "x".repeat(10_000);
    for (id, secret) in [
        ("nobody", "wrong"),
        ("nobody", SECRET),
        ("CI", SECRET),
        ("ci ", SECRET),
        ("", SECRET),
        ("ci", ""),
        ("hashed", SECRET),
        (control, SECRET),
        (long.as_str(), SECRET),
        ("ci", long.as_str()),
        ("ci\0", SECRET),
    ] {
        assert_eq!(seen(id, secret), wrong, "{:.20}", id.escape_debug());
    }
}

#[test]
fn ids_with_control_characters_or_of_ten_kilobytes_find_and_make_nothing() {
    let server = TestServer::start();
    let admin = server.client("root", "admin");
    let long = "x".repeat(10_000);
    for id in ["a\nb", "a\u{0}b", "\u{7f}", long.as_str()] {
        let body = json!({
            "client_id": id, "client_secret": SECRET, "max_priority": {}, "max_reservation_time": {},
        });
        assert_eq!(admin.post("/v1/client-permissions", &body).status, 400, "{id:.9}");
        let owner = json!({ "client_id": id });
        assert_eq!(admin.post("/v1/restricted-queues/q", &owner).status, 404, "{id:.9}");
    }
    for path in ["a%0Ab", "a%00b", "%ff", long.as_str()] {
        let path = format!("/v1/client-permissions/{path}");
        assert_eq!(admin.get(&path).status, 404);
        assert_eq!(admin.delete(&path).status, 404);
        assert_eq!(admin.put(&path, &json!({ "client_secret": SECRET })).status, 404);
    }
    assert_eq!(admin.get("/v1/client-permissions").value().as_array().unwrap().len(), 1);
}

#[test]
fn a_client_that_no_path_or_login_could_name_is_not_made() {
    let server = TestServer::start();
    let admin = server.client("root", "admin");
    // A path segment cannot contain a slash, and a colon ends the id in Basic authentication.
    for id in ["team/ci", "team:ci"] {
        let body = json!({ "client_id": id, "client_secret": SECRET });
        assert_eq!(admin.post("/v1/client-permissions", &body).status, 400, "{id}");
    }
    let path = "/v1/client-permissions/team:ci";
    assert_eq!(admin.put(path, &json!({ "client_secret": SECRET })).status, 404);
}

#[test]
fn a_cookie_of_an_agent_gives_no_rights() {
    for access in [Mode::Contributor, Mode::Locked] {
        let server = TestServer::with(Raw { access: Some(access), ..Raw::default() });
        let agent = server.client("rig", "agent").header("Cookie", "agent_name=rig-1");
        let person = server.client("person", "contributor");
        let id = person.submit(&json!({ "job_queue": "q" }));
        assert_eq!(agent.claim("q"), Some(id.clone()));
        // The job is handed out and not acknowledged, so its agent, and nobody else, gets it again.
        let cookie = ("Cookie", "agent_name=rig-1");
        let thief = person.clone().header(cookie.0, cookie.1);
        assert_eq!(thief.get("/v1/job?queue=q").status, 403);
        assert_eq!(thief.post(&format!("/v1/result/{id}"), &json!({})).status, 403);
        // Nor does it acknowledge the job in the agent's name.
        assert_eq!(thief.get(&format!("/v1/result/{id}")).status, 200);
        let status = server.anonymous().header(cookie.0, cookie.1).get("/v1/job?queue=q").status;
        assert_eq!(status, if matches!(access, Mode::Locked) { 401 } else { 403 });
        let other = server.client("other-rig", "agent").header("Cookie", "agent_name=rig-2");
        assert_eq!(other.claim("q"), None);
        assert_eq!(agent.claim("q"), Some(id));
    }
}

#[test]
fn in_the_open_mode_a_cookie_is_believed_and_still_hands_a_job_to_one_agent_only() {
    let server = TestServer::start();
    let id = server.anonymous().submit(&json!({ "job_queue": "q" }));
    assert_eq!(server.agent("rig-1").claim("q"), Some(id.clone()));
    assert_eq!(server.agent("rig-2").claim("q"), None);
    assert_eq!(server.anonymous().claim("q"), None);
    assert_eq!(server.agent("rig-1").claim("q"), Some(id));
    // A cookie adds nothing where a token is needed.
    let caller = server.agent("root");
    assert_eq!(caller.get("/v1/client-permissions").status, 401);
    let urgent = json!({ "job_queue": "q", "job_priority": 1 });
    assert_eq!(caller.post("/v1/job", &urgent).status, 401);
}

#[test]
fn two_admins_who_edit_at_once_lose_nothing() {
    let server = TestServer::start();
    let (one, two) = (server.client("one", "admin"), server.client("two", "admin"));
    server.client("ci", "contributor");
    let path = "/v1/client-permissions/ci";
    for round in 1..=20 {
        let barrier = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            for (admin, field) in [(&one, "max_priority"), (&two, "max_reservation_time")] {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    let answer = admin.put(path, &json!({ field: { "q": round } }));
                    assert_eq!(answer.status, 200);
                });
            }
        });
        let client = one.get(path).value();
        assert_eq!(client["max_priority"], json!({ "q": round }));
        assert_eq!(client["max_reservation_time"], json!({ "q": round }));
    }
}

#[test]
fn two_admins_who_delete_each_other_at_once_leave_one() {
    let server = TestServer::start();
    for round in 0..10 {
        let (a, b) = (format!("a{round}"), format!("b{round}"));
        let admins = [(server.client(&a, "admin"), &b), (server.client(&b, "admin"), &a)];
        std::thread::scope(|scope| {
            for (admin, other) in &admins {
                scope.spawn(move || admin.delete(&format!("/v1/client-permissions/{other}")));
            }
        });
        let list = server.local().send("GET", "/v1/client-permissions", None).value();
        let left: Vec<&str> =
            list.as_array().unwrap().iter().map(|row| row["client_id"].as_str().unwrap()).collect();
        assert_eq!(left.len(), 1, "{left:?}");
        server.local().send("DELETE", &format!("/v1/client-permissions/{}", left[0]), None);
    }
}

#[test]
fn basic_authentication_on_an_ordinary_endpoint_is_no_token_and_no_error() {
    let server = TestServer::start();
    server.client("root", "admin");
    let basic = crate::support::auth::basic("root", SECRET);
    let caller = server.anonymous().header("Authorization", &basic);
    assert_eq!(caller.get("/v1/agents/queues").status, 200);
    assert_eq!(caller.get("/v1/client-permissions").status, 401);
    for empty in ["Bearer", "Bearer ", "bearer  "] {
        let caller = server.anonymous().header("Authorization", empty);
        assert_eq!(caller.get("/v1/agents/queues").status, 403, "{empty:?}");
    }
}

#[test]
fn nobody_becomes_another_client_by_the_body_of_a_request() {
    let server = TestServer::start();
    let ci = server.client("ci", "contributor");
    let id = ci.submit(&json!({ "job_queue": "q", "client_id": "root", "role": "admin" }));
    assert_eq!(server.anonymous().get(&format!("/v1/job/{id}")).status, 200);
    let manager = server.client("boss", "manager");
    // The path says who is meant, the body does not; hashes and queues are set at the machine only.
    let answer = manager.put("/v1/client-permissions/ci", &json!({ "client_id": "boss" }));
    assert_eq!(answer.seen(), (200, "Updated permissions for client 'ci'".to_owned()));
    for field in [json!({ "secret_hash": "$2b$04$x" }), json!({ "allowed_queues": ["rq"] })] {
        assert_eq!(manager.put("/v1/client-permissions/ci", &field).status, 422);
    }
    assert_eq!(claims(&server.token("ci"))["permissions"]["role"], "contributor");
}
