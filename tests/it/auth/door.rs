//! Who may call what in which mode: the whole table, written from docs/API.md and not from the policy.

use std::collections::BTreeSet;

use testflinger_server::config::{Mode, Raw};

use crate::support::auth::{Socket, forge};
use crate::support::{Answer, Caller, TestServer};

/// `+` passes the door, `1` is 401, `3` is 403, `4` is a path that does not exist, for, in this order:
/// anonymous, user, agent, contributor, manager, admin, a bad token, the local administrator.
type Verdicts = &'static str;

/// Method, path, and the verdicts in the modes open, contributor and locked. Routes that this server does not have yet
/// are not asked.
#[rustfmt::skip]
const TABLE: &[(&str, &str, Verdicts, Verdicts, Verdicts)] = &[
    //                                                       nuacmaBL    nuacmaBL    nuacmaBL
    ("GET",    "/v1",                                       "++++++++", "++++++++", "++++++++"),
    ("GET",    "/healthz",                                  "++++++++", "++++++++", "++++++++"),
    ("GET",    "/readyz",                                   "++++++++", "++++++++", "++++++++"),
    ("GET",    "/docs",                                     "++++++++", "++++++++", "++++++++"),
    ("GET",    "/docs/{file}",                              "44444444", "44444444", "44444444"),
    ("GET",    "/openapi.json",                             "++++++++", "++++++++", "++++++++"),
    ("GET",    "/metrics",                                  "++++++3+", "+33+++3+", "133+++3+"),
    ("GET",    "/v1/oauth2/token",                          "++++++++", "++++++++", "++++++++"),
    ("POST",   "/v1/oauth2/token",                          "++++++++", "++++++++", "++++++++"),
    ("POST",   "/v1/oauth2/refresh",                        "++++++++", "++++++++", "++++++++"),
    ("POST",   "/v1/oauth2/revoke",                         "13333+3+", "13333+3+", "13333+3+"),

    ("POST",   "/v1/job",                                   "++++++3+", "+33+++3+", "133+++3+"),
    ("GET",    "/v1/job",                                   "++++++3+", "33+3333+", "13+3333+"),
    ("GET",    "/v1/job/search",                            "++++++3+", "+33+++3+", "133+++3+"),
    ("GET",    "/v1/job/{id}",                              "++++++3+", "+33+++3+", "133+++3+"),
    ("POST",   "/v1/job/{id}/action",                       "++++++3+", "+33+++3+", "133+++3+"),
    ("GET",    "/v1/job/{id}/attachments",                  "++++++3+", "33+3333+", "13+3333+"),
    ("POST",   "/v1/job/{id}/attachments",                  "++++++3+", "+33+++3+", "133+++3+"),
    ("POST",   "/v1/job/{id}/events",                       "++++++3+", "33+3333+", "13+3333+"),
    ("PUT",    "/v1/job/{id}/pin",                          "++++++3+", "+33+++3+", "133+++3+"),
    ("DELETE", "/v1/job/{id}/pin",                          "++++++3+", "+33+++3+", "133+++3+"),
    ("GET",    "/v1/job/{id}/position",                     "++++++3+", "+33+++3+", "133+++3+"),
    ("GET",    "/v1/events/job/{id}",                       "++++++3+", "+3++++3+", "13++++3+"),
    ("GET",    "/v1/job/{id}/status",                       "++++++3+", "+33+++3+", "133+++3+"),
    ("GET",    "/v1/job/{id}/stream",                       "++++++3+", "+33+++3+", "133+++3+"),
    ("GET",    "/v1/stream",                                "++++++3+", "+33+++3+", "133+++3+"),

    ("GET",    "/v1/result/{id}",                           "++++++3+", "+3++++3+", "13++++3+"),
    ("GET",    "/v1/result/{id}/status",                    "++++++3+", "+3++++3+", "13++++3+"),
    ("POST",   "/v1/result/{id}",                           "++++++3+", "33+3333+", "13+3333+"),
    ("GET",    "/v1/result/{id}/artifact",                  "++++++3+", "+33+++3+", "133+++3+"),
    ("POST",   "/v1/result/{id}/artifact",                  "++++++3+", "33+3333+", "13+3333+"),
    ("GET",    "/v1/result/{id}/log/{kind}",                "++++++3+", "+33+++3+", "133+++3+"),
    ("POST",   "/v1/result/{id}/log/{kind}",                "++++++3+", "33+3333+", "13+3333+"),
    ("GET",    "/v1/result/{id}/output",                    "++++++3+", "+33+++3+", "133+++3+"),
    ("POST",   "/v1/result/{id}/output",                    "++++++3+", "33+3333+", "13+3333+"),
    ("GET",    "/v1/result/{id}/serial_output",             "++++++3+", "+33+++3+", "133+++3+"),
    ("POST",   "/v1/result/{id}/serial_output",             "++++++3+", "33+3333+", "13+3333+"),

    ("GET",    "/v1/agents/queues",                         "++++++3+", "+33+++3+", "133+++3+"),
    ("POST",   "/v1/agents/queues",                         "++++++3+", "33+3++3+", "13+3++3+"),
    ("POST",   "/v1/agents/images",                         "++++++3+", "33+3++3+", "13+3++3+"),
    ("GET",    "/v1/agents/images/{queue}",                 "++++++3+", "+33+++3+", "133+++3+"),
    ("GET",    "/v1/agents/data",                           "++++++3+", "+33+++3+", "133+++3+"),
    ("GET",    "/v1/agents/data/{name}",                    "++++++3+", "+3++++3+", "13++++3+"),
    ("GET",    "/v1/agents/data/{name}/history",            "++++++3+", "+33+++3+", "133+++3+"),
    ("POST",   "/v1/agents/data/{name}",                    "++++++3+", "33+3++3+", "13+3++3+"),
    ("POST",   "/v1/agents/provision_logs/{name}",          "++++++3+", "33+3333+", "13+3333+"),

    ("GET",    "/v1/queues/wait_times",                     "++++++3+", "+33+++3+", "133+++3+"),
    ("GET",    "/v1/queues/{queue}/agents",                 "++++++3+", "+33+++3+", "133+++3+"),
    ("GET",    "/v1/queues/{queue}/jobs",                   "++++++3+", "+33+++3+", "133+++3+"),

    ("GET",    "/v1/restricted-queues",                     "133+++3+", "+33+++3+", "133+++3+"),
    ("GET",    "/v1/restricted-queues/{queue}",             "133+++3+", "+33+++3+", "133+++3+"),
    ("POST",   "/v1/restricted-queues/{queue}",             "1333++3+", "1333++3+", "1333++3+"),
    ("DELETE", "/v1/restricted-queues/{queue}",             "1333++3+", "1333++3+", "1333++3+"),

    ("GET",    "/v1/client-permissions",                    "1333++3+", "1333++3+", "1333++3+"),
    ("POST",   "/v1/client-permissions",                    "1333++3+", "1333++3+", "1333++3+"),
    ("GET",    "/v1/client-permissions/{id}",               "1333++3+", "1333++3+", "1333++3+"),
    ("PUT",    "/v1/client-permissions/{id}",               "1333++3+", "1333++3+", "1333++3+"),
    ("DELETE", "/v1/client-permissions/{id}",               "13333+3+", "13333+3+", "13333+3+"),

    ("PUT",    "/v1/secrets/{client}/{*path}",              "133+++3+", "133+++3+", "133+++3+"),
    ("DELETE", "/v1/secrets/{client}/{*path}",              "133+++3+", "133+++3+", "133+++3+"),

    ("GET",    "/admin/secrets",                            "4444444+", "4444444+", "4444444+"),
    ("POST",   "/admin/secrets-key",                        "4444444+", "4444444+", "4444444+"),
    ("POST",   "/admin/backup",                             "4444444+", "4444444+", "4444444+"),
    ("PUT",    "/admin/backup",                             "4444444+", "4444444+", "4444444+"),
    ("GET",    "/admin/status",                             "4444444+", "4444444+", "4444444+"),
    ("POST",   "/admin/check",                              "4444444+", "4444444+", "4444444+"),
    ("POST",   "/admin/clients/{id}",                       "4444444+", "4444444+", "4444444+"),
    ("PUT",    "/admin/clients/{id}",                       "4444444+", "4444444+", "4444444+"),
    ("POST",   "/admin/clock",                              "4444444+", "4444444+", "4444444+"),
    ("PUT",    "/admin/agents/{name}/aside",                "4444444+", "4444444+", "4444444+"),
    ("DELETE", "/admin/agents/{name}/aside",                "4444444+", "4444444+", "4444444+"),
    ("GET",    "/admin/drain",                              "4444444+", "4444444+", "4444444+"),
    ("PUT",    "/admin/drain",                              "4444444+", "4444444+", "4444444+"),
    ("DELETE", "/admin/drain",                              "4444444+", "4444444+", "4444444+"),
    ("GET",    "/admin/queues",                             "4444444+", "4444444+", "4444444+"),
    ("PUT",    "/admin/queues/{queue}",                     "4444444+", "4444444+", "4444444+"),
    ("GET",    "/admin/gc",                                 "4444444+", "4444444+", "4444444+"),
    ("POST",   "/admin/gc",                                 "4444444+", "4444444+", "4444444+"),
    ("GET",    "/admin/notices",                            "4444444+", "4444444+", "4444444+"),
    ("POST",   "/admin/notices/{number}",                   "4444444+", "4444444+", "4444444+"),
    ("DELETE", "/admin/notices/{number}",                   "4444444+", "4444444+", "4444444+"),
    ("DELETE", "/admin/restricted-queues/{queue}",          "4444444+", "4444444+", "4444444+"),
];

const NOBODY: &str = "00000000-0000-0000-0000-000000000000";
const TOKEN_ERRORS: [&str; 4] =
    ["Unable to decode token", "Invalid Token signature", "Invalid Token", "Token missing"];

/// Every route of the source: method and path.
fn routes() -> BTreeSet<(String, String)> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/api/mod.rs");
    let text = std::fs::read_to_string(source).unwrap();
    let mut found = BTreeSet::new();
    for route in text.split(".at(").skip(1) {
        let (path, handlers) = route.trim_start()[1..].split_once('"').unwrap();
        for method in ["get", "post", "put", "delete", "patch", "options", "any"] {
            let called = handlers.match_indices(&format!("{method}(")).any(|(at, _)| {
                !handlers[..at].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c))
            });
            if called {
                found.insert((method.to_uppercase(), path.to_owned()));
            }
        }
    }
    found
}

fn concrete(path: &str) -> String {
    let id = if path.starts_with("/v1/job") || path.starts_with("/v1/result") {
        NOBODY
    } else {
        "nobody"
    };
    // A stream would not end; one from an impossible place does not begin.
    let path = path.replace("/v1/stream", "/v1/stream?last_event_id=none");
    let path = path.replace("{id}", id).replace("{kind}", "output");
    path.replace("{client}/{*path}", "nobody/nothing")
        .replace("{queue}", "nothing")
        .replace("{name}", "nobody")
}

fn verdict(answer: &Answer) -> char {
    let text = String::from_utf8_lossy(&answer.body);
    let says = |word: &str| text.contains(&format!("\"message\":\"{word}"));
    match answer.status {
        401 if says("Authentication is required for specified endpoint") => '1',
        403 if says("Specified action requires role: ") => '3',
        403 if TOKEN_ERRORS.iter().any(|word| says(word)) => '3',
        404 if text.starts_with("Not found: 404 Not Found") => '4',
        405 | 500.. => '?',
        _ => '+',
    }
}

enum Who {
    Network(Caller),
    Local(Socket),
}

impl Who {
    fn send(&self, method: &str, path: &str) -> Answer {
        match self {
            Self::Network(caller) => caller.json(method, path, "{}"),
            Self::Local(socket) => socket.send(method, path, Some(&serde_json::json!({}))),
        }
    }
}

fn callers(server: &TestServer) -> Vec<Who> {
    let mut all = vec![Who::Network(server.anonymous())];
    for role in ["user", "agent", "contributor", "manager", "admin"] {
        all.push(Who::Network(server.client(&format!("a-{role}"), role)));
    }
    let claims = serde_json::json!({ "exp": 1, "iat": 1, "sub": "access_token" });
    let foreign = forge(&serde_json::json!({ "alg": "HS256" }), &claims, b"another key");
    all.push(Who::Network(server.bearer(&foreign)));
    all.push(Who::Local(server.local()));
    all
}

fn whole_table(mode: Mode, expected: impl Fn(usize) -> Verdicts) {
    let server = TestServer::with(Raw { access: Some(mode), ..Raw::default() });
    let callers = callers(&server);
    let there = routes();
    let mut wrong = Vec::new();
    for (row, (method, path, ..)) in TABLE.iter().enumerate() {
        if !there.contains(&((*method).to_owned(), (*path).to_owned())) {
            continue;
        }
        let path = concrete(path);
        let seen: String = callers.iter().map(|who| verdict(&who.send(method, &path))).collect();
        if seen != expected(row) {
            wrong.push(format!("{method} {path}: {seen} instead of {}", expected(row)));
        }
        // A GET also answers HEAD, where only the status tells.
        if *method == "GET" && !path.contains("oauth2") {
            for (who, expected) in callers.iter().zip(expected(row).chars()) {
                let status = who.send("HEAD", &path).status;
                let refused = [('1', 401), ('3', 403), ('4', 404)].contains(&(expected, status));
                if !refused && (expected != '+' || [401, 403, 405, 500].contains(&status)) {
                    wrong.push(format!("HEAD {path}: {status} instead of {expected}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{mode:?}: {wrong:#?}");
}

#[test]
fn the_table_knows_every_route() {
    let known: BTreeSet<(String, String)> =
        TABLE.iter().map(|(method, path, ..)| ((*method).to_owned(), (*path).to_owned())).collect();
    let routes = routes();
    assert!(routes.len() >= 40, "{routes:#?}");
    let missing: Vec<_> = routes.difference(&known).collect();
    assert!(missing.is_empty(), "type who may call them: {missing:#?}");
}

#[test]
fn everybody_passes_the_right_doors_in_the_open_mode() {
    whole_table(Mode::Open, |row| TABLE[row].2);
}

#[test]
fn everybody_passes_the_right_doors_in_the_contributor_mode() {
    whole_table(Mode::Contributor, |row| TABLE[row].3);
}

#[test]
fn everybody_passes_the_right_doors_in_the_locked_mode() {
    whole_table(Mode::Locked, |row| TABLE[row].4);
}

#[test]
fn a_refusal_names_the_roles_that_would_do() {
    let server = TestServer::with(Raw { access: Some(Mode::Locked), ..Raw::default() });
    let (agent, contributor) =
        (server.client("an-agent", "agent"), server.client("somebody", "contributor"));
    for (answer, roles) in [
        (contributor.get("/v1/client-permissions"), "admin, manager"),
        (contributor.delete("/v1/client-permissions/x"), "admin"),
        (contributor.get("/v1/job?queue=q"), "agent"),
        (contributor.json("POST", "/v1/agents/data/x", "{}"), "admin, manager, agent"),
        (agent.get("/v1/restricted-queues"), "admin, manager, contributor"),
    ] {
        assert_eq!(answer.status, 403);
        assert_eq!(answer.message(), format!("Specified action requires role: {roles}"));
    }
    let user = server.client("old-user", "user");
    assert_eq!(
        user.get(&format!("/v1/result/{NOBODY}")).message(),
        "Specified action requires role: admin, manager, contributor, agent"
    );
    assert_eq!(
        server.anonymous().get("/v1/job/search").message(),
        "Authentication is required for specified endpoint"
    );
}

#[test]
fn admin_paths_do_not_exist_over_the_network_whatever_the_method() {
    let server = TestServer::start();
    let admin = server.client("root", "admin");
    for path in ["/admin/clients/x", "/admin/restricted-queues/x"] {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            assert_eq!(admin.send(method, path, b"").status, 404, "{method} {path}");
        }
    }
}
