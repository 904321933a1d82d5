//! The places where bytes come from outside, as functions that panic when one of them does not hold what it promises.
//! `tests/it/fuzz.rs` runs them with what the fuzzer begins with, so they are never out of date.

mod archive;
mod backup;
mod config;
mod job;
mod journal;
mod lab;
mod result;
mod rows;
mod upload;

use tempfile::TempDir;

/// The name of its folder in `seeds`, and what is run with each input.
type Target = (&'static str, fn(&[u8]));

pub(crate) const ALL: &[Target] = &[
    ("backup", backup::run),
    ("config", config::run),
    ("job", job::run),
    ("journal", journal::run),
    ("result", result::run),
    ("rows", rows::run),
    ("upload", upload::run),
];

/// A directory in memory where there is one, because nothing here is about disks.
fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}
