//! Backup, verify, restore, check and upgrades, as an administrator uses them.

mod check;
mod damaged;
mod flips;
mod format;
mod interrupted;
mod keep;
mod make;
mod missing;
mod restore;
mod salvage;
mod secrets;
mod units;
mod upgrade;
mod verify;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;

use crate::binary::cli::Cli;
use crate::support::auth::SECRET;
use crate::support::{Caller, Part, Program, ZERO};

/// A data directory with something of everything, and what must be found of it later.
struct Filled {
    dir: TempDir,
    jobs: Vec<String>,
    artifact: Vec<u8>,
    refresh_token: String,
    access_token: String,
}

impl Filled {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let program = Program::serve(&data);
        assert!(Cli(&data).create("keeper", &["--role", "manager"]).status.success());
        Cli(&data).ok(&["queue-admin", "restrict", "private", "--owner", "keeper"]);
        let tokens = program.log_in("keeper", SECRET).value();
        let token = |name: &str| tokens[name].as_str().unwrap().to_owned();
        let anyone = program.anonymous();
        let bearer = format!("Bearer {}", token("access_token"));
        let keeper = anyone.clone().header("Authorization", &bearer);
        let job =
            |n: i32| json!({ "job_queue": "q", "job_priority": 0, "tags": ["a", n.to_string()] });
        let mut jobs: Vec<String> = (0..4).map(|n| keeper.submit(&job(n))).collect();
        let artifact: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
        work(&anyone, &jobs.remove(0), &artifact);
        drop(program.stop());
        let (refresh_token, access_token) = (token("refresh_token"), token("access_token"));
        Self { dir, jobs, artifact, refresh_token, access_token }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The file of its one blob.
    fn blob(&self) -> PathBuf {
        let first = |dir: &Path| std::fs::read_dir(dir).unwrap().next().unwrap().unwrap().path();
        first(&first(&self.data().join("blobs")))
    }

    /// A backup of it.
    fn backup(&self) -> PathBuf {
        let path = self.path("backup.tar");
        Cli(&self.data()).ok(&["backup", text(&path), "--force"]);
        path
    }

    /// Everything that must be there is there, and in order.
    #[track_caller]
    fn serves_all(&self, data: &Path) {
        let program = Program::serve(data);
        let anyone = program.anonymous();
        let answer = anyone.get(&format!("/v1/result/{ZERO}/artifact"));
        assert_eq!((answer.status, &answer.body), (200, &self.artifact));
        let agents = anyone.get("/v1/agents/data").value();
        assert_eq!(agents[0]["name"], "rack1", "{agents}");
        let long = anyone.get(&format!("/v1/result/{ZERO}")).value();
        assert_eq!(long["test_output"].as_str().unwrap().len(), 100_000);
        for job in &self.jobs {
            assert_eq!(anyone.claim("q").as_ref(), Some(job));
        }
        assert_eq!(anyone.claim("q"), None);
        drop(program.stop());
        Cli(data).ok(&["check"]);
    }
}

/// What an agent does with a job, and results of a job that nobody knows.
fn work(anyone: &Caller, job: &str, artifact: &[u8]) {
    let agent = anyone.clone().header("Cookie", "agent_name=rack1");
    let about = json!({ "queues": ["q"], "state": "waiting", "log": ["hello"] });
    assert_eq!(agent.post("/v1/agents/data/rack1", &about).status, 200);
    assert_eq!(agent.post("/v1/agents/queues", &json!({ "q": "a queue" })).status, 200);
    let images = json!({ "q": { "image": "url: http://x" } });
    assert_eq!(agent.post("/v1/agents/images", &images).status, 200);
    assert_eq!(agent.claim("q").as_deref(), Some(job));
    let ended = json!({ "exit_code": 0, "detail": "", "job_id": job });
    assert_eq!(agent.post("/v1/agents/provision_logs/rack1", &ended).status, 200);
    let line = |n: i32| {
        json!({ "fragment_number": n, "phase": "test", "timestamp": "2026-11-24T12:00:00Z",
                "log_data": format!("line {n}\n") })
    };
    for n in 0..3 {
        let path = format!("/v1/result/{job}/log/output");
        assert_eq!(agent.post(&path, &line(n)).status, 200);
    }
    let path = format!("/v1/result/{job}");
    assert_eq!(agent.post(&path, &json!({ "job_state": "complete" })).status, 200);
    let long = json!({ "test_output": "x".repeat(100_000) });
    assert_eq!(anyone.post(&format!("/v1/result/{ZERO}"), &long).status, 200);
    let path = format!("/v1/result/{ZERO}/artifact");
    assert_eq!(anyone.upload(&path, &[Part("file", artifact)]).status, 200);
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The entries of a backup, as tar sees them.
pub(crate) fn entries(backup: &Path) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(std::fs::File::open(backup).unwrap());
    let entry = |entry: std::io::Result<tar::Entry<'_, std::fs::File>>| {
        let (mut entry, mut bytes) = (entry.unwrap(), Vec::new());
        entry.read_to_end(&mut bytes).unwrap();
        (entry.path().unwrap().to_str().unwrap().to_owned(), bytes)
    };
    archive.entries().unwrap().map(entry).collect()
}

/// Everything in a backup but what says when it was made.
fn content(backup: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut entries: BTreeMap<_, _> = entries(backup).into_iter().collect();
    entries.remove("manifest.json");
    entries.remove("SHA256SUMS");
    entries
}

/// The names in a directory, sorted.
fn names(dir: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.unwrap().file_name().into_string().unwrap()
    };
    let mut names: Vec<String> = std::fs::read_dir(dir).unwrap().map(name).collect();
    names.sort();
    names
}
