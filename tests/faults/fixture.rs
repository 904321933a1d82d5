//! Data directories, and what must be in them whatever has happened.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use testflinger_server::store::check::{self, Options, check};

use super::tools::{Client, Server, ok, text};

/// A data directory with some jobs, artifacts and a client; it is made once and copied.
pub(crate) struct Fixture {
    dir: tempfile::TempDir,
    pub(crate) jobs: Vec<String>,
}

impl Fixture {
    /// A fixture with this many jobs and half as many artifacts.
    pub(crate) fn new(jobs: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("first");
        ok(&[
            "client-admin",
            "create",
            "keeper",
            "--generate",
            "--init",
            "--data-dir",
            text(&data),
        ]);
        let server = Server::on(&data);
        let client = server.client();
        let jobs: Vec<String> = (0..jobs).map(|_| client.submit("q").unwrap()).collect();
        for job in jobs.iter().step_by(2) {
            assert_eq!(client.upload(job, &artifact(job)), Some(200));
        }
        server.stop();
        Self { dir, jobs }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Its data directory; no server runs on it.
    pub(crate) fn data(&self) -> PathBuf {
        self.path("first")
    }

    /// A backup of it.
    pub(crate) fn backup(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        ok(&["backup", text(&path), "--force", "--data-dir", text(&self.data())]);
        path
    }

    /// The names beside the data directory that begin with this.
    pub(crate) fn names(&self, prefix: &str) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.starts_with(prefix)).collect();
        names.sort();
        names
    }
}

/// The bytes of a job's artifact, which follow from its id; some artifacts are large.
pub(crate) fn artifact(job: &str) -> Vec<u8> {
    let size = job.bytes().map(usize::from).sum::<usize>() % 97 * 2003 + 1;
    job.bytes().cycle().take(size).collect()
}

/// Copies a directory that nobody uses.
pub(crate) fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    assert!(Command::new("cp").arg("-r").args([from, to]).status().unwrap().success());
}

/// The data is sound, and nothing half-written is left: call after a server has run.
#[track_caller]
pub(crate) fn is_sound(data: &Path) {
    let options = Options { repair: false, hash: true };
    let report: check::Report = check(data, options, &mut |_| {}).unwrap();
    assert!(report.problems.is_empty(), "{:#?}", report.problems);
    assert_eq!(report.strays, 0, "files of no row");
    let partial = partials(data);
    assert!(partial.is_empty(), "{partial:?}");
    let key = data.join("keys/jwt.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read(&key).unwrap().len(), 44);
}

fn partials(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(partials(&path));
        } else if path.extension().is_some_and(|end| end == "partial") {
            found.push(path);
        }
    }
    found
}

/// What callers were told.
#[derive(Default)]
pub(crate) struct Told {
    /// In the order of their acknowledgement.
    pub(crate) jobs: Vec<String>,
    pub(crate) artifacts: Vec<String>,
}

impl Told {
    /// Submits and uploads until the server is gone or refuses, at most this often.
    pub(crate) fn work(&mut self, client: &Client, jobs: usize, artifacts: usize) {
        for _ in 0..jobs {
            let Some(job) = client.submit("q") else { return };
            self.jobs.push(job);
        }
        for n in 0..artifacts {
            // The second artifact replaces the first, whose file is removed.
            let job = format!("00000000-0000-4000-8000-{:012}", n / 2);
            if client.upload(&job, &artifact(&job)) != Some(200) {
                return;
            }
            self.artifacts.push(job);
        }
    }

    /// Starts a server: everything that was acknowledged is there, in order, and everything else is sound.
    #[track_caller]
    pub(crate) fn is_kept(&self, data: &Path) {
        let server = Server::on(data);
        let client = server.client();
        let listed = client.listed("q");
        let mut rest = listed.iter();
        for job in &self.jobs {
            assert!(rest.any(|kept| kept == job), "job {job} is lost or moved");
        }
        // One more may be there, whose answer was under way.
        assert!(listed.len() <= self.jobs.len() + 1, "{} jobs too many", listed.len());
        for job in &self.artifacts {
            assert_eq!(client.artifact(job).as_ref(), Some(&artifact(job)), "artifact of {job}");
        }
        server.stop();
        is_sound(data);
    }
}
