//! Requests that are held until there is a job.

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;
use testflinger_server::config::{Raw, Span};

use crate::support::{Caller, Connection, TestServer, until};

fn holding() -> TestServer {
    TestServer::with(Raw { hold: Some(Span(Duration::from_secs(25))), ..Raw::default() })
}

/// Sends an agent's request for a job and leaves it open.
fn ask(server: &TestServer, agent: &str, queues: &str, more: &str) -> Connection {
    let mut connection = Connection::open(&server.url());
    let target = format!("GET /v1/job?{queues}");
    connection.begin(&target, "text/plain", &format!("Cookie: agent_name={agent}{more}"));
    connection
}

/// Gives the server time to see the requests. Nothing shows from outside that a request is held, so this is the one
/// place where tests wait for a while. A request that is seen later is answered correctly, too.
fn settled(anyone: &Caller) {
    for _ in 0..3 {
        let id = anyone.submit(&json!({ "job_queue": "settle" }));
        assert_eq!(anyone.claim("settle"), Some(id));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_agent_is_answered_when_a_job_arrives() {
    let server = holding();
    let anyone = server.anonymous();
    let held = ask(&server, "rig", "queue=a&queue=b", "");
    settled(&anyone);
    let id = anyone.submit(&json!({ "job_queue": "b" }));
    let (status, body) = held.answer();
    assert_eq!(status, 200);
    assert!(body.contains(&id), "{body}");
    assert_eq!(anyone.state(&id), "running");
}

#[test]
fn anybody_may_ask_to_be_held_and_an_agent_not_to_be() {
    let server = holding();
    let anyone = server.anonymous();
    assert_eq!(anyone.claim("q"), None, "plain callers are answered at once");
    let agent = server.agent("rig").header("Prefer", "wait=0");
    let answer = agent.get("/v1/job?queue=q");
    assert_eq!((answer.status, answer.header("preference-applied")), (204, Some("wait=0")));
    let waiting = anyone.clone().header("Prefer", "wait=1").get("/v1/job?queue=q");
    assert_eq!((waiting.status, waiting.header("preference-applied")), (204, Some("wait=1")));
    assert_eq!(server.agent("rig").send("HEAD", "/v1/job?queue=q", b"").status, 204);
}

#[test]
fn who_waits_longest_is_served_first() {
    let server = holding();
    let anyone = server.anonymous();
    let first = ask(&server, "first", "queue=q", "");
    settled(&anyone);
    let second = ask(&server, "second", "queue=q", "");
    settled(&anyone);
    let one = anyone.submit(&json!({ "job_queue": "q" }));
    assert!(first.answer().1.contains(&one));
    let two = anyone.submit(&json!({ "job_queue": "q" }));
    assert!(second.answer().1.contains(&two));
}

#[test]
fn an_agent_that_the_job_excludes_goes_on_waiting_and_the_next_gets_it() {
    let server = holding();
    let anyone = server.anonymous();
    anyone.post("/v1/agents/data/b", &json!({ "queues": ["q"] }));
    let (a, b) = (ask(&server, "a", "queue=q", ""), ask(&server, "b", "queue=q", ""));
    settled(&anyone);
    let for_b = anyone.submit(&json!({ "job_queue": "q", "exclude_agents": ["a"] }));
    assert!(b.answer().1.contains(&for_b));
    let for_a = anyone.submit(&json!({ "job_queue": "q" }));
    assert!(a.answer().1.contains(&for_a));
}

#[test]
fn a_question_whose_asker_is_gone_takes_no_job() {
    let server = holding();
    let anyone = server.anonymous();
    let gone = ask(&server, "gone", "queue=q", "");
    settled(&anyone);
    drop(gone);
    settled(&anyone);
    let id = anyone.submit(&json!({ "job_queue": "q" }));
    until("the job is in its queue", || anyone.state(&id) == "waiting");
    assert_eq!(anyone.claim("q"), Some(id));
}

#[test]
fn attachments_that_arrive_make_their_job_known_at_once() {
    let server = holding();
    let anyone = server.anonymous();
    let held = ask(&server, "rig", "queue=q", "");
    let job = json!({ "job_queue": "q", "test_data": { "attachments": [{ "agent": "a" }] } });
    let id = anyone.submit(&job);
    settled(&anyone);
    let part = crate::support::Part("file", b"archive");
    assert_eq!(anyone.upload(&format!("/v1/job/{id}/attachments"), &[part]).status, 200);
    assert!(held.answer().1.contains(&id));
}

#[test]
fn a_change_of_the_agents_state_lets_it_look() {
    let server = holding();
    let anyone = server.anonymous();
    let held = ask(&server, "rig", "queue=q", "");
    settled(&anyone);
    anyone.post("/v1/agents/data/rig", &json!({ "state": "maintenance" }));
    assert_eq!(held.answer().0, 204);
}

#[test]
fn a_server_that_stops_answers_what_it_holds() {
    let mut server = holding();
    let held = ask(&server, "rig", "queue=q", "");
    settled(&server.anonymous());
    server.restart();
    assert_eq!(held.answer().0, 204);
}

#[test]
fn a_thousand_held_agents_get_a_job_each() {
    const AGENTS: usize = 1000;
    let server = holding();
    let anyone = server.anonymous();
    let addr = server.url().strip_prefix("http://").unwrap().to_owned();
    let mut held: Vec<TcpStream> = Vec::new();
    for agent in 0..AGENTS {
        let mut stream = TcpStream::connect(&addr).unwrap();
        let question = format!(
            "GET /v1/job?queue=q HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: agent_name=a{agent}\r\n\r\n"
        );
        std::io::Write::write_all(&mut stream, question.as_bytes()).unwrap();
        held.push(stream);
    }
    settled(&anyone);
    // Side by side, because a slow machine would end the first questions before the last job is there.
    let submit = || (0..AGENTS / 8).map(|_| anyone.submit(&json!({ "job_queue": "q" }))).collect();
    let mut submitted: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(submit)).collect();
        threads.into_iter().flat_map(|thread| -> Vec<String> { thread.join().unwrap() }).collect()
    });
    let mut delivered: Vec<String> = Vec::new();
    for mut stream in held {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let body = text.split_once("\r\n\r\n").unwrap().1;
        let value: serde_json::Value = serde_json::from_str(body).unwrap();
        delivered.push(value["job_id"].as_str().unwrap().to_owned());
    }
    submitted.sort();
    delivered.sort();
    assert_eq!(delivered, submitted, "each job to one agent, each agent one job");
}
