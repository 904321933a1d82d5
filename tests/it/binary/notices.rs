//! Events that are kept, and `notice-admin`

use rustix::process::Signal;
use serde_json::{Value, json};

use super::cli::Cli;
use crate::support::{Program, ZERO, free_address, hook, hook_on, until};

fn send(program: &Program, url: &str) {
    let event = json!({
        "agent_id": "a", "job_queue": "q", "job_status_webhook": url,
        "events": [{ "event_name": "started", "timestamp": "2024-05-03T19:11:33+00:00" }],
    });
    let answer = program.anonymous().post(&format!("/v1/job/{ZERO}/events"), &event);
    assert_eq!(answer.status, 202, "{}", answer.text());
}

#[test]
fn a_killed_server_sends_its_events_when_it_is_back() {
    let (dir, address) = (tempfile::tempdir().unwrap(), free_address());
    let origin = format!("http://{address}");
    let settings = ["--webhook-keep", "true", "--webhook-url", &origin];
    let mut program = Program::serve_with(dir.path(), &settings);
    (0..3).for_each(|n| send(&program, &format!("{origin}/n{n}/200")));
    program.signal(Signal::KILL);
    program.wait();
    let hook = hook_on(&address);
    let program = Program::serve_with(dir.path(), &settings);
    for n in 0..3 {
        let head = hook.asked.recv().unwrap().0;
        assert!(head.starts_with(&format!("PUT /n{n}/200 ")), "{head}");
    }
    program.stop();
}

#[test]
fn what_was_given_up_is_listed_sent_again_and_forgotten() {
    let (dir, hook) = (tempfile::tempdir().unwrap(), hook());
    let settings = ["--webhook-keep", "true", "--webhook-url", &hook.url];
    let program = Program::serve_with(dir.path(), &settings);
    let cli = Cli(dir.path());
    let list = || -> Vec<Value> {
        serde_json::from_str(&cli.ok(&["notice-admin", "list", "--json"])).unwrap()
    };
    send(&program, &format!("{}/404", hook.url));
    hook.asked.recv().unwrap();
    until("it is given up", || list().iter().any(|row| row["state"] == "dead"));
    assert_eq!(list()[0]["error"], "it answered 404");
    assert!(cli.ok(&["notice-admin", "retry", "--all"]).contains("is sent again"));
    hook.asked.recv().unwrap();
    until("it is given up again", || list().iter().any(|row| row["state"] == "dead"));
    program.stop();
    let number = list()[0]["number"].to_string();
    assert!(cli.ok(&["notice-admin", "drop", &number]).contains("is forgotten"));
    assert_eq!(list(), [] as [Value; 0]);
    assert!(cli.fails(1, &["notice-admin", "drop", &number]).contains("no such notice"));
    cli.fails(2, &["notice-admin", "retry"]);
}
