//! What a caller can do without the right to.

use std::os::unix::fs::PermissionsExt;

use super::Outcome;
use super::server::{Server, create_client, refusal};
use super::wire::{self, Answer};

type Attack = (&'static str, fn() -> Outcome);

pub(crate) const ATTACKS: &[Attack] = &[
    ("attachments for a stranger's job", attachments),
    ("a demoted admin's old token", demoted),
    ("an old token after a new secret", renewed),
    ("one agent ends another's job", foreign_result),
    ("an event to this machine", event_to_loopback),
    ("a data directory open to others", open_directory),
    ("HEAD at the token endpoint", head_token),
];

fn locked(roles: &[&str]) -> Server {
    Server::with_clients(roles, &["--access", "locked"])
}

/// Submits a job and gives its id.
fn submit(server: &Server, token: &str, job: &str) -> String {
    let answer = server.ask(token, None, ("POST", "/v1/job"), job);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["job_id"].as_str().unwrap().to_owned()
}

fn refused(answer: &Answer) -> Outcome {
    Outcome::new(matches!(answer.status, 401 | 403), answer.status.to_string())
}

fn attachments() -> Outcome {
    let server = locked(&["contributor", "manager", "admin"]);
    let (owner, _) = (server.token("manager"), server.token("admin"));
    let job = r#"{"job_queue":"q","test_data":{"attachments":[{"agent":"a"}]}}"#;
    let id = submit(&server, &owner, job);
    let body = b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nevil\r\n--x--\r\n";
    let bearer = format!("Bearer {}", server.token("contributor"));
    let headers = [("Content-Type", "multipart/form-data; boundary=x"), ("Authorization", &bearer)];
    let path = format!("/v1/job/{id}/attachments");
    refused(&wire::send(server.addr, &wire::request("POST", &path, &headers, body)).unwrap())
}

fn demoted() -> Outcome {
    let server = locked(&["admin", "manager"]);
    assert!(create_client_over_http(&server, "boss"));
    let (root, boss) = (server.token("admin"), server.token("boss"));
    let path = ("PUT", "/v1/client-permissions/boss");
    assert_eq!(server.ask(&root, None, path, r#"{"role":"contributor"}"#).status, 200);
    refused(&server.ask(&boss, None, path, r#"{"role":"admin"}"#))
}

fn create_client_over_http(server: &Server, id: &str) -> bool {
    let body = format!(
        "{{\"client_id\":\"{id}\",\"client_secret\":\"{}\",\"role\":\"admin\",\"max_priority\":{{}},\"max_reservation_time\":{{}}}}",
        super::server::SECRET
    );
    let root = server.token("admin");
    server.ask(&root, None, ("POST", "/v1/client-permissions"), &body).status == 200
}

fn renewed() -> Outcome {
    let server = locked(&["admin"]);
    assert!(create_client_over_http(&server, "boss"));
    let (root, boss) = (server.token("admin"), server.token("boss"));
    let path = ("PUT", "/v1/client-permissions/boss");
    let secret = r#"{"client_secret":"another secret of some length"}"#;
    assert_eq!(server.ask(&root, None, path, secret).status, 200);
    refused(&server.ask(&boss, None, ("GET", "/v1/client-permissions"), ""))
}

fn foreign_result() -> Outcome {
    let server = locked(&["contributor", "agent"]);
    let id = submit(&server, &server.token("contributor"), r#"{"job_queue":"q"}"#);
    let agent = server.token("agent");
    let claim = server.ask(&agent, Some("mine"), ("GET", "/v1/job?queue=q"), "");
    assert_eq!(claim.status, 200, "{}", claim.text());
    let path = format!("/v1/result/{id}");
    let foreign = server.ask(
        &agent,
        Some("theirs"),
        ("POST", &path),
        r#"{"job_state":"complete","test_status":7}"#,
    );
    let result = server.ask(&agent, Some("mine"), ("GET", &path), "").json();
    let held = result["job_state"] == "running" && result["test_status"].is_null();
    Outcome::new(held, format!("answered {}, the job is {}", foreign.status, result["job_state"]))
}

fn event_to_loopback() -> Outcome {
    let server = Server::new(&[]);
    let body = format!(
        "{{\"agent_id\":\"a\",\"job_queue\":\"q\",\"job_status_webhook\":\"http://{}/v1/agents/data/evil\",\"events\":[]}}",
        server.addr
    );
    let answer =
        wire::post(server.addr, &format!("/v1/job/{}/events", wire::NOBODY), &body).unwrap();
    let held = answer.status == 400 && answer.text().contains("not allowed");
    Outcome::new(held, answer.status.to_string())
}

fn open_directory() -> Outcome {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    assert!(create_client(&data, "admin", "admin", &[]));
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o777)).unwrap();
    let said = refusal(&data, &[]);
    let held = said.as_ref().is_some_and(|said| said.contains("chmod"));
    Outcome::new(held, if said.is_some() { "does not start" } else { "starts" })
}

fn head_token() -> Outcome {
    use base64::Engine as _;
    let server = locked(&["admin"]);
    let encoded = base64::engine::general_purpose::STANDARD
        .encode(format!("admin:{}", super::server::SECRET));
    let headers = [("Authorization", &*format!("Basic {encoded}"))];
    wire::send(server.addr, &wire::request("HEAD", "/v1/oauth2/token", &headers, b""));
    let issued = server.said("authn_token_created");
    Outcome::new(!issued, if issued { "issued a token" } else { "issued nothing" })
}
