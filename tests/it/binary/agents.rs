//! `agent-admin`

use serde_json::{Value, json};

use super::cli::Cli;
use crate::support::Program;

/// A server with three agents: two that a redeployment left offline, and one that is broken.
fn lab(data: &std::path::Path) -> Program {
    let program = Program::serve(data);
    let anyone = program.anonymous();
    for (name, comment) in [("a", "redeployed"), ("b", "redeployed"), ("c", "disk broken")] {
        let post = json!({ "state": "offline", "comment": comment, "queues": ["q"] });
        assert_eq!(anyone.post(&format!("/v1/agents/data/{name}"), &post).status, 200);
    }
    program
}

fn states(cli: &Cli<'_>) -> Vec<String> {
    let text = cli.ok(&["agent-admin", "list", "--json"]);
    let agents: Vec<Value> = serde_json::from_str(&text).unwrap();
    agents.iter().map(|agent| agent["state"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_fleet_is_brought_back_by_its_comment() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (program, cli) = (lab(&data), Cli(&data));
    let args = [
        "agent-admin",
        "set-state",
        "waiting",
        "--in-state",
        "offline",
        "--with-comment",
        "redeployed",
    ];
    let said = cli.ok(&[&args[..], &["--dry-run"]].concat());
    let lines = "a: offline -> waiting (not done)\nb: offline -> waiting (not done)\n";
    assert_eq!(said, format!("{lines}2 agents would be set to waiting\n"));
    assert_eq!(states(&cli), ["offline", "offline", "offline"]);
    let said = cli.ok(&args);
    assert!(said.ends_with("2 agents were set to waiting\n"), "{said}");
    assert_eq!(states(&cli), ["waiting", "waiting", "offline"]);
    program.stop();
    // On a stopped server, too.
    cli.ok(&["agent-admin", "set-state", "maintenance", "a", "--because", "new disk"]);
    let shown: Value =
        serde_json::from_str(&cli.ok(&["agent-admin", "show", "a", "--json"])).unwrap();
    assert_eq!(
        (&shown["agent"]["state"], &shown["agent"]["comment"]),
        (&json!("maintenance"), &json!("new disk"))
    );
    let last = shown["history"].as_array().unwrap().iter().rfind(|one| one["change"] == "state");
    let last = last.unwrap();
    assert_eq!(
        (&last["by"], &last["from"], &last["to"]),
        (&json!("administrator"), &json!("waiting"), &json!("maintenance"))
    );
}

#[test]
fn mistyped_agents_are_not_made_and_nobody_is_set_by_mistake() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (program, cli) = (lab(&data), Cli(&data));
    let said = cli.fails(1, &["agent-admin", "set-state", "waiting", "a", "aa"]);
    assert!(said.contains("there is no agent aa"), "{said}");
    let said = cli.fails(2, &["agent-admin", "set-state", "wating", "a"]);
    assert!(said.contains("'waiting'"), "{said}");
    cli.fails(2, &["agent-admin", "set-state", "waiting"]);
    cli.fails(2, &["agent-admin", "set-state", "waiting", "a", "--in-state", "offline"]);
    cli.fails(1, &["agent-admin", "show", "aa"]);
    assert_eq!(states(&cli), ["offline", "offline", "offline"]);
    let table = cli.ok(&["agent-admin", "list", "--with-comment", "disk broken"]);
    assert!(table.contains("disk broken") && !table.contains("redeployed"), "{table}");
    program.stop();
}

#[test]
fn agents_are_drained_and_resumed_by_name_or_by_what_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (program, cli) = (lab(&data), Cli(&data));
    let drain = ["agent-admin", "drain", "--with-comment", "redeployed", "--because", "new switch"];
    let said = cli.ok(&[&drain[..], &["--dry-run"]].concat());
    let lines = "a gets no more jobs (not done)\nb gets no more jobs (not done)\n";
    assert_eq!(said, format!("{lines}2 agents would be drained\n"));
    cli.ok(&drain);
    let aside = |name: &str| {
        let shown = cli.ok(&["agent-admin", "show", name, "--json"]);
        serde_json::from_str::<Value>(&shown).unwrap()["agent"]["aside"]["why"].clone()
    };
    assert_eq!([aside("a"), aside("c")], [json!("new switch"), json!(null)]);
    cli.fails(1, &["agent-admin", "drain", "a", "aa"]);
    cli.fails(2, &["agent-admin", "resume"]);
    program.stop();
    assert_eq!(cli.ok(&["agent-admin", "resume", "a"]), "a gets jobs again\n1 agent was resumed\n");
    assert_eq!([aside("a"), aside("b")], [json!(null), json!("new switch")]);
}
