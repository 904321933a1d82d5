//! `gc`, `job-admin`

use serde_json::{Value, json};

use super::cli::Cli;
use crate::support::Program;

fn list(cli: &Cli<'_>) -> Vec<Value> {
    serde_json::from_str(&cli.ok(&["gc", "--dry-run", "--json"])).unwrap()
}

#[test]
fn what_would_go_is_said_and_removed_on_a_running_and_on_a_stopped_server() {
    let dir = tempfile::tempdir().unwrap();
    let cli = Cli(dir.path());
    let program = Program::serve(dir.path());
    let anyone = program.anonymous();
    let ids: Vec<String> = (0..3).map(|_| anyone.submit(&json!({ "job_queue": "q" }))).collect();
    for id in &ids {
        anyone.post(&format!("/v1/job/{id}/action"), &json!({ "action": "cancel" }));
    }
    assert_eq!(list(&cli), [] as [Value; 0]);
    assert!(cli.ok(&["gc"]).contains("0 were old enough"));
    assert!(cli.ok(&["job-admin", "pin", &ids[0]]).contains("is pinned"));
    program.stop();

    // A stopped server is judged by the settings that it would have.
    let config = dir.path().join("config.toml");
    std::fs::write(&config, "keep_jobs = \"0s\"\nkeep_agents = \"0s\"\nkeep_queues = \"0s\"\n")
        .unwrap();
    let config = config.to_str().unwrap();
    let gc = |more: &[&str]| cli.ok(&[&["gc", "--config", config], more].concat());
    let found: Vec<Value> = serde_json::from_str(&gc(&["--dry-run", "--json"])).unwrap();
    let names: Vec<&str> = found.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, [ids[1].as_str(), ids[2].as_str()]);
    assert_eq!(found[0]["why"], "it ended longer ago than keep_jobs");
    assert!(gc(&["--dry-run"]).contains("2 would go"));
    assert!(gc(&[]).contains("2 were old enough and are gone"));
    assert!(gc(&["--dry-run"]).contains("0 would go"));
    assert!(cli.ok(&["job-admin", "unpin", &ids[0]]).contains("is no longer pinned"));
    assert!(gc(&[]).contains("1 were old enough and are gone"));
    assert!(cli.fails(1, &["job-admin", "pin", &ids[0]]).contains("Job not found"));
}
