//! The server is killed again and again under load, on the same data.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::fixture::{artifact, is_sound};
use super::tools::{Client, Server};

const CYCLES: usize = 20;
const SUBMITTERS: usize = 6;
const UPLOADERS: usize = 2;

/// What one caller was told, in order.
type Log = Mutex<Vec<String>>;

fn submit(url: &str, log: &Log) {
    let client = Client::new(url);
    while let Some(job) = client.submit("q") {
        log.lock().unwrap().push(job);
    }
}

fn upload(url: &str, log: &Log, next: &AtomicUsize) {
    let client = Client::new(url);
    loop {
        let job = format!("00000000-0000-4000-8000-{:012}", next.fetch_add(1, Ordering::Relaxed));
        if client.upload(&job, &artifact(&job)) != Some(200) {
            return;
        }
        log.lock().unwrap().push(job);
    }
}

/// Takes jobs of another queue and hands them back, so that kills do not only hit inserts.
fn claim(url: &str) {
    let client = Client::new(url);
    while client.submit("other").is_some() && client.get("/v1/job?queue=other").is_some() {}
}

#[test]
fn twenty_kills_under_load_lose_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let jobs: Vec<Log> = (0..SUBMITTERS).map(|_| Log::default()).collect();
    let artifacts: Vec<Log> = (0..UPLOADERS).map(|_| Log::default()).collect();
    let next = AtomicUsize::new(0);
    for cycle in 0..CYCLES {
        let mut server = Server::on(&data);
        let (url, before) = (server.url.clone(), told(&jobs));
        std::thread::scope(|scope| {
            for log in &jobs {
                scope.spawn(|| submit(&url, log));
            }
            for log in &artifacts {
                scope.spawn(|| upload(&url, log, &next));
            }
            scope.spawn(|| claim(&url));
            while told(&jobs) < before + 100 || told(&artifacts) <= cycle {
                std::thread::sleep(Duration::from_millis(5));
            }
            server.kill();
            server.wait();
        });
        let server = Server::on(&data);
        let client = server.client();
        let listed = client.listed("q");
        for log in &jobs {
            let mut rest = listed.iter();
            let log = log.lock().unwrap();
            assert!(log.iter().all(|id| rest.any(|kept| kept == id)), "a job is lost or moved");
        }
        for job in artifacts.iter().flat_map(|log| log.lock().unwrap().clone()) {
            assert_eq!(client.artifact(&job).as_ref(), Some(&artifact(&job)), "artifact of {job}");
        }
        server.stop();
        is_sound(&data);
    }
    eprintln!("{CYCLES} kills: {} jobs and {} artifacts kept", told(&jobs), told(&artifacts));
}

fn told(logs: &[Log]) -> usize {
    logs.iter().map(|log| log.lock().unwrap().len()).sum()
}
