//! What people see in a browser.

mod access;
mod hostile;
mod kept;
mod lists;
mod live;
mod looks;

use serde_json::{Value, json};

use crate::support::{Answer, Caller, Events, TestServer};

/// A page that is there, without what is between tags.
#[track_caller]
pub(super) fn page(caller: &Caller, path: &str) -> String {
    let answer = caller.get(path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    words(answer.text())
}

/// What is written in HTML, with one blank where tags and blanks are.
pub(super) fn words(html: &str) -> String {
    let mut out = String::new();
    for part in html.split('<') {
        let text = part.split_once('>').map_or(part, |(_, text)| text);
        out.push(' ');
        out.push_str(text);
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Sends a form.
pub(super) fn send_form(caller: &Caller, path: &str, fields: &[(&str, &str)]) -> Answer {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    let kind = "application/x-www-form-urlencoded";
    caller.clone().header("Content-Type", kind).send("POST", path, form.finish().as_bytes())
}

/// The token that the forms of a page bring back.
#[track_caller]
pub(super) fn form_token(caller: &Caller, path: &str) -> String {
    let answer = caller.get(path);
    let (_, rest) = answer.text().split_once("name=\"csrf\" value=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

/// Somebody in a browser who has logged in as a client that exists.
#[track_caller]
pub(super) fn browser(server: &TestServer, client: &str, secret: &str) -> Caller {
    server.anonymous().header("Cookie", &session(server, client, secret))
}

/// The cookie of somebody who has logged in.
#[track_caller]
pub(super) fn session(server: &TestServer, client: &str, secret: &str) -> String {
    let anyone = server.anonymous();
    let csrf = form_token(&anyone, "/login");
    let fields =
        [("csrf", csrf.as_str()), ("client_id", client), ("secret", secret), ("next", "/jobs")];
    let answer = send_form(&anyone, "/login", &fields);
    assert_eq!(
        (answer.status, answer.header("Location")),
        (303, Some("/jobs")),
        "{}",
        answer.text()
    );
    answer.header("Set-Cookie").unwrap().split(';').next().unwrap().to_owned()
}

/// The stream of a page that somebody has open, from the place on at which the page was made.
pub(crate) fn open(server: &TestServer, html: &str, headers: &str) -> Events {
    let attribute = |name: &str| {
        let (_, rest) = html.split_once(&format!("{name}=\"")).unwrap();
        rest.split_once('"').unwrap().0
    };
    let (stream, place) = (attribute("data-stream"), attribute("data-place"));
    Events::open(&server.url(), &format!("{stream}?last_event_id={place}"), headers)
}

/// An agent that serves queues.
pub(super) fn enrol(server: &TestServer, name: &str, about: &Value) -> Caller {
    let agent = server.agent(name);
    assert_eq!(agent.post(&format!("/v1/agents/data/{name}"), about).status, 200);
    agent
}

/// A job that an agent has run to its end.
pub(super) fn run_job(
    server: &TestServer,
    agent: &Caller,
    job: &Value,
    test_status: i64,
) -> String {
    let id = server.anonymous().submit(job);
    assert_eq!(agent.claim(job["job_queue"].as_str().unwrap()).as_deref(), Some(id.as_str()));
    let result = format!("/v1/result/{id}");
    for body in [
        json!({ "job_state": "test" }),
        json!({ "test_status": test_status, "test_output": "one\ntwo\n" }),
        json!({ "job_state": "complete" }),
    ] {
        assert_eq!(agent.post(&result, &body).status, 200);
    }
    id
}
