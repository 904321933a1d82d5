//! SIGHUP

use std::fs;

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Program, until};

fn says(program: &Program, words: &str) -> bool {
    program.log().iter().any(|line| line.contains(words))
}

#[test]
fn sighup_reads_log_level_retention_and_limits_again() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.toml");
    fs::write(&config, "keep_jobs = \"3d\"\n").unwrap();
    let more = ["--config", config.to_str().unwrap()];
    let program = Program::serve_with(&dir.path().join("data"), &more);
    until("the retention is logged", || says(&program, "jobs=3d"));
    let anyone = program.anonymous();
    let job = json!({ "job_queue": "q", "text": "x".repeat(2000) });
    assert_eq!(anyone.post("/v1/job", &job).status, 200);
    assert!(!says(&program, "path=\"/v1/job\""));
    let new = "keep_jobs = \"5d\"\nlog = \"debug\"\nmax_json_size = \"1KiB\"\n";
    fs::write(&config, new).unwrap();
    program.signal(Signal::HUP);
    until("the settings were read again", || says(&program, "were read again"));
    assert!(says(&program, "jobs=5d"));
    assert_eq!(anyone.post("/v1/job", &job).status, 413);
    until("the request is logged", || says(&program, "path=\"/v1/job\""));
    program.stop();
}

#[test]
fn sighup_with_bad_settings_changes_nothing_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.toml");
    fs::write(&config, "").unwrap();
    let more = ["--config", config.to_str().unwrap()];
    let program = Program::serve_with(&dir.path().join("data"), &more);
    fs::write(&config, "keep_jobs = 30\n").unwrap();
    program.signal(Signal::HUP);
    until("the error is logged", || says(&program, "30 has no unit"));
    assert_eq!(program.anonymous().get("/v1").status, 200);
    program.stop();
}
