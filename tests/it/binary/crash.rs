use std::sync::Mutex;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Caller, Program, until};

const CALLERS: usize = 8;
const ENOUGH: usize = 300;

/// Submits until the server is gone, and notes only jobs that were acknowledged.
fn submit(url: &str, acknowledged: &Mutex<Vec<String>>) {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().proxy(None).http_status_as_error(false).build().into();
    let body = json!({ "job_queue": "q" }).to_string();
    loop {
        let request =
            agent.post(format!("{url}/v1/job")).header("Content-Type", "application/json");
        let Ok(mut answer) = request.send(&body) else { return };
        let Ok(text) = answer.body_mut().read_to_string() else { return };
        let value: Value = serde_json::from_str(&text).unwrap();
        acknowledged.lock().unwrap().push(value["job_id"].as_str().unwrap().to_owned());
    }
}

/// The jobs of the queue as it lists them.
fn listed(caller: &Caller) -> Vec<String> {
    let list = caller.get("/v1/queues/q/jobs").value();
    let id = |row: &Value| row["job_id"].as_str().unwrap().to_owned();
    list.as_array().unwrap().iter().map(id).collect()
}

#[test]
fn a_killed_server_loses_no_acknowledged_job_and_keeps_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut program = Program::serve(dir.path());
    let url = program.url.clone();
    let logs: Vec<Mutex<Vec<String>>> = (0..CALLERS).map(|_| Mutex::default()).collect();
    std::thread::scope(|scope| {
        for log in &logs {
            let url = &url;
            scope.spawn(move || submit(url, log));
        }
        let count = || logs.iter().map(|log| log.lock().unwrap().len()).sum::<usize>();
        until("enough jobs are acknowledged", || count() >= ENOUGH);
        program.signal(Signal::KILL);
    });
    assert!(!program.wait().success());
    let program = Program::serve(dir.path());
    let anyone = program.anonymous();
    let kept = listed(&anyone);
    for log in logs {
        let log = log.into_inner().unwrap();
        // Each caller's jobs are there, in the order in which it submitted them.
        let mut rest = kept.iter();
        assert!(log.iter().all(|id| rest.any(|kept| kept == id)), "a job is lost or moved");
    }
    for id in kept {
        assert_eq!(anyone.claim("q"), Some(id));
    }
    assert_eq!(anyone.claim("q"), None);
}

#[test]
fn a_killed_server_leaves_no_half_file_after_the_next_start() {
    use crate::support::{Connection, ZERO, part_head};
    let dir = tempfile::tempdir().unwrap();
    let mut program = Program::serve(dir.path());
    let mut connection = Connection::open(&program.url);
    connection.begin_upload(&format!("/v1/result/{ZERO}/artifact"), "Content-Length: 9000000");
    connection.send(part_head("file").as_bytes());
    connection.send(&vec![0; 3_000_000]);
    let files = || {
        let folders = std::fs::read_dir(dir.path().join("blobs")).unwrap();
        folders
            .map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap().count())
            .sum::<usize>()
    };
    until("the upload is under way", || files() == 1);
    program.signal(Signal::KILL);
    program.wait();
    assert_eq!(files(), 1);
    let _program = Program::serve(dir.path());
    assert_eq!(files(), 0);
}
