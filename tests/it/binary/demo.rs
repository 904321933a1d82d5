//! `demo`: a lab to look at, of which nothing remains.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Caller, program};

#[test]
fn a_demo_shows_a_lab_at_work_and_leaves_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let mut demo = program()
        .args(["demo", "--past", "30m", "--pace", "1s"])
        .env("TMPDIR", temp.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(demo.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("demo lab: ").unwrap();
    let anyone = Caller::new(url.to_owned());

    let agents = anyone.get("/v1/agents/data").value();
    let states: Vec<&str> =
        agents.as_array().unwrap().iter().map(|agent| agent["state"].as_str().unwrap()).collect();
    assert!(states.contains(&"offline"), "{states:?}");
    assert!(states.iter().any(|state| !["offline", "waiting"].contains(state)), "{states:?}");
    let jobs = anyone.get("/v1/job/search").value();
    assert!(jobs.as_array().unwrap().len() > 10, "{jobs}");
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 1);

    kill_process(Pid::from_child(&demo), Signal::INT).unwrap();
    assert!(demo.wait().unwrap().success());
    said.read_to_string(&mut line).unwrap();
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
}
