use serde_json::json;

use crate::support::TestServer;
use crate::support::auth::{SECRET, basic, claims, raw};

/// The form of an answer.
#[derive(Debug, PartialEq)]
enum Form {
    /// The bare token.
    Text,
    /// An object that contains the token.
    Object,
}

const JSON: (&str, &str) = ("Content-Type", "application/json");
const EMPTY: (&str, &str) = ("Content-Length", "0");
const PYTHON: (&str, &str) = ("User-Agent", "python-requests/2.32.3");
const CURL: (&str, &str) = ("User-Agent", "curl/8.5.0");

#[track_caller]
fn form(server: &TestServer, target: &str, headers: &[(&str, &str)], body: &str) -> Form {
    let authorization = basic("ci", SECRET);
    let mut all = vec![("Authorization", authorization.as_str())];
    all.extend_from_slice(headers);
    let answer = raw(&server.url(), target, &all, body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    if answer.header("Content-Type") == Some("text/html; charset=utf-8") {
        assert_eq!(claims(answer.text())["permissions"]["client_id"], "ci");
        return Form::Text;
    }
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    let value = answer.value();
    assert_eq!(claims(value["access_token"].as_str().unwrap())["permissions"]["client_id"], "ci");
    assert_eq!(value["refresh_token"].as_str().unwrap().len(), 48);
    assert_eq!((&value["expires_in"], &value["token_type"]), (&json!(600), &json!("Bearer")));
    assert_eq!(value.as_object().unwrap().len(), 4);
    Form::Object
}

#[test]
fn each_generation_of_clients_gets_the_form_that_it_can_read() {
    let server = TestServer::start();
    server.client("ci", "contributor");
    let form = |target: &str, headers: &[(&str, &str)], body: &str| {
        form(&server, &format!("{target} /v1/oauth2/token"), headers, body)
    };
    // The command line tool of 2025 posts `{}` as JSON.
    assert_eq!(form("POST", &[("Content-Length", "2"), JSON, PYTHON], "{}"), Form::Text);
    // That of 2026 posts an empty body and says so.
    assert_eq!(form("POST", &[EMPTY, PYTHON], ""), Form::Object);
    assert_eq!(form("POST", &[EMPTY], ""), Form::Object);
    // The example in Testflinger's API reference uses GET; curl -X POST -u says nothing about a body.
    assert_eq!(form("GET", &[CURL], ""), Form::Text);
    assert_eq!(form("GET", &[EMPTY, PYTHON], ""), Form::Text);
    assert_eq!(form("POST", &[CURL], ""), Form::Text);
    assert_eq!(form("POST", &[], ""), Form::Text);
    // A proxy dropped the length of the empty body.
    assert_eq!(form("POST", &[PYTHON], ""), Form::Object);
    // The body is chunked, or of another type.
    assert_eq!(form("POST", &[("Transfer-Encoding", "chunked")], "0\r\n\r\n"), Form::Object);
    let urlencoded = ("Content-Type", "application/x-www-form-urlencoded");
    let length = ("Content-Length", "29");
    let grant = "grant_type=client_credentials";
    assert_eq!(form("POST", &[urlencoded, length], grant), Form::Object);
    let charset = ("Content-Type", "application/json; charset=utf-8");
    assert_eq!(form("POST", &[charset, ("Content-Length", "2")], "{}"), Form::Text);
    // Libraries name a type for every request of a session, even where there is no body.
    assert_eq!(form("POST", &[charset, EMPTY], ""), Form::Object);
    assert_eq!(form("POST", &[JSON], ""), Form::Object);
}

#[test]
fn whoever_says_which_form_gets_it() {
    let server = TestServer::start();
    server.client("ci", "contributor");
    let form = |target: &str, headers: &[(&str, &str)]| form(&server, target, headers, "");
    let accept = ("Accept", "text/plain;q=0.5, application/json");
    assert_eq!(form("GET /v1/oauth2/token", &[accept]), Form::Object);
    assert_eq!(form("POST /v1/oauth2/token", &[accept, CURL]), Form::Object);
    assert_eq!(form("POST /v1/oauth2/token", &[("Accept", "*/*"), CURL]), Form::Text);
    assert_eq!(form("POST /v1/oauth2/token?format=jwt", &[accept]), Form::Text);
    assert_eq!(form("GET /v1/oauth2/token?format=json", &[]), Form::Object);
    assert_eq!(form("POST /v1/oauth2/token?format=json", &[JSON, EMPTY]), Form::Object);
    assert_eq!(form("POST /v1/oauth2/token?format=jwt", &[EMPTY, PYTHON]), Form::Text);
    assert_eq!(form("POST /v1/oauth2/token/?format=jwt", &[EMPTY]), Form::Text);
    assert_eq!(form("POST /v1/oauth2/token?format=xml", &[EMPTY]), Form::Object);
}

#[test]
fn refusals_are_upstreams_sentences() {
    let server = TestServer::start();
    server.client("ci", "contributor");
    let wrong = "Invalid client id or client key";
    let scheme = "Client id and key must be specified in authorization header";
    let right = basic("ci", SECRET);
    let no_colon = "Basic Y2k=";
    let not_utf8 = "Basic //8=";
    for (header, message) in [
        (None, "No authorization header specified"),
        (Some("Bearer abc"), scheme),
        (Some("Basic"), wrong),
        (Some("Basic !!!"), wrong),
        (Some(no_colon), wrong),
        (Some(not_utf8), wrong),
        (Some(&right[..right.len() - 6]), wrong),
        (Some("Digest x"), scheme),
        (Some(""), scheme),
    ] {
        let headers: Vec<(&str, &str)> =
            header.map(|value| ("Authorization", value)).into_iter().chain([EMPTY]).collect();
        let answer = raw(&server.url(), "POST /v1/oauth2/token", &headers, "");
        assert_eq!(answer.seen(), (401, message.to_owned()), "{header:?}");
        assert_eq!(answer.header("Content-Type"), Some("text/html; charset=utf-8"));
        assert_eq!(answer.header("WWW-Authenticate"), None);
    }
    let lower = right.replace("Basic", "basic");
    let answer = raw(&server.url(), "GET /v1/oauth2/token", &[("Authorization", &lower)], "");
    assert_eq!(answer.status, 200);
}

#[test]
fn a_secret_may_have_colons_and_any_letters() {
    let server = TestServer::start();
    let secret = "a:b::c \u{e9}\u{1f511} and more";
    server.local().create("ci", &json!({ "client_secret": secret }));
    assert_eq!(server.log_in("ci", secret).status, 200);
    assert_eq!(server.log_in("ci", "a").status, 401);
}

#[test]
fn a_token_claims_who_the_client_is_what_it_may_do_and_until_when() {
    let server = TestServer::start();
    server.client_with(
        "ci",
        &json!({
            "role": "manager",
            "max_priority": { "q": 5, "*": 1 },
            "max_reservation_time": { "*": 40_000 },
            "email": "ci@example.com",
        }),
    );
    server.local().restrict("rq", "ci");
    // Only the server reads `since`, and it differs in each database.
    let claims = |id: &str| {
        let mut claims = claims(&server.token(id));
        assert!(claims["permissions"].as_object_mut().unwrap().remove("since").is_some());
        claims
    };
    assert_eq!(
        claims("ci"),
        json!({
            "exp": 1_795_435_200 + 600,
            "iat": 1_795_435_200,
            "sub": "access_token",
            "permissions": {
                "client_id": "ci",
                "role": "manager",
                "max_priority": { "q": 5, "*": 1 },
                "max_reservation_time": { "*": 40_000 },
                "allowed_queues": ["rq"],
                "email": "ci@example.com",
            },
        })
    );
    server.local().create("plain", &json!({ "client_secret": SECRET }));
    assert_eq!(
        claims("plain")["permissions"],
        json!({
            "client_id": "plain",
            "role": "contributor",
            "max_priority": {},
            "max_reservation_time": {},
            "allowed_queues": [],
        })
    );
}

#[test]
fn a_token_is_taken_with_and_without_bearer() {
    let server = TestServer::start();
    server.client("boss", "manager");
    let token = server.token("boss");
    for header in [
        token.clone(),
        format!("Bearer {token}"),
        format!("bearer {token}"),
        format!("BEARER   {token}"),
    ] {
        let caller = server.anonymous().header("Authorization", &header);
        assert_eq!(caller.get("/v1/client-permissions").status, 200);
    }
}

#[test]
fn a_bad_token_does_not_keep_anybody_from_greeting() {
    let server = TestServer::start();
    let caller = server.bearer("garbage");
    assert_eq!(caller.get("/v1").status, 200);
    let answer = caller.post("/v1/oauth2/refresh", &json!({ "refresh_token": "x" }));
    assert_eq!(answer.message(), "Invalid refresh token.");
}
