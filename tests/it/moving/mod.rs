//! Data of other servers moves in, and data moves out, as an administrator lets it.

mod again;
mod damage;
mod dump;
mod export;
mod large;
mod lived;
mod mongodb;
mod secrets;

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use self::dump::Dump;
use crate::binary::cli::{Cli, text};

/// A dump and a data directory that is not there yet.
struct Site {
    dir: TempDir,
}

impl Site {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Imports what is at this path, and gives the exit code and the report.
    fn import_from(&self, dump: &Path, more: &[&str]) -> (i32, Value) {
        let args = [&["import", "mongodb", dump.to_str().unwrap(), "--json"], more].concat();
        let output = Cli(&self.data()).run(&args);
        let report = serde_json::from_slice(&output.stdout);
        let report: Value = report.unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
        (output.status.code().unwrap(), report["report"].clone())
    }

    /// The same of a dump, as a directory.
    fn import(&self, dump: &Dump, more: &[&str]) -> (i32, Value) {
        let path = self.path("dump");
        let _ = std::fs::remove_dir_all(&path);
        dump.directory(&path, false);
        self.import_from(&path, more)
    }
}

/// The lines of a report: collection, id, outcome and reason.
fn lines(report: &Value) -> Vec<String> {
    let member = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
    let line = |line: &Value| {
        let all = ["collection", "id", "outcome", "reason"].map(|name| member(line, name));
        all.join(" | ")
    };
    report["lines"].as_array().unwrap().iter().map(line).collect()
}

/// Whether one line has all of these words.
fn has_line(report: &Value, words: &[&str]) -> bool {
    lines(report).iter().any(|line| words.iter().all(|word| line.contains(word)))
}

#[track_caller]
fn assert_line(report: &Value, words: &[&str]) {
    assert!(has_line(report, words), "{words:?} in {:#?}", lines(report));
}
