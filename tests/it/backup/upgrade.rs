//! Data of every version that there ever was, as its own program wrote it: `tests/golden/schema-N.tar` is a data
//! directory with four jobs in queue `q` that wait or waited, one that awaits attachments, a client and an agent; from version 3
//! on also one in queue `other` that the client has submitted.
//!
//! A new version adds a file that the last program of the old version wrote, and never changes one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use redb::ReadableDatabase;
use serde_json::json;

use super::{names, text};
use crate::binary::cli::Cli;
use crate::store::open::set_schema;
use crate::support::Program;
use crate::support::auth::SECRET;

const VERSIONS: [u64; 3] = [1, 2, 3];
const COPY: &str = "testflinger.redb.schema-1";
/// What is in there must stay however old it is.
const FOR_EVER: [&str; 8] = [
    "--keep-jobs",
    "99999d",
    "--keep-files",
    "99999d",
    "--keep-agents",
    "99999d",
    "--keep-queues",
    "99999d",
];

fn unpack(version: u64, to: &Path) -> PathBuf {
    let name = format!("tests/golden/schema-{version}.tar");
    let file = fs::File::open(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let data = to.join("data");
    tar::Archive::new(file).unpack(&data).unwrap();
    data
}

/// The schema version of a closed and sound database.
fn schema(path: &Path) -> u64 {
    let mut db = redb::Database::open(path).unwrap();
    assert!(db.check_integrity().unwrap());
    let txn = db.begin_read().unwrap();
    let meta = redb::TableDefinition::<&[u8], &[u8]>::new("meta-1");
    let found = txn.open_table(meta).unwrap().get(&b"schema"[..]).unwrap().unwrap();
    // Behind its checksum, where there is one.
    u64::from_be_bytes(*found.value().last_chunk().unwrap())
}

/// Everything that the golden data has is there.
#[track_caller]
fn is_all_there(data: &Path) -> Vec<String> {
    let program = Program::serve_with(data, &FOR_EVER);
    let anyone = program.anonymous();
    let listed = anyone.get("/v1/queues/q/jobs").value();
    let states: Vec<&str> =
        listed.as_array().unwrap().iter().map(|job| job["job_state"].as_str().unwrap()).collect();
    assert_eq!(states, ["complete", "waiting", "waiting", "waiting", "waiting"]);
    let done = listed[0]["job_id"].as_str().unwrap();
    let result = anyone.get(&format!("/v1/result/{done}")).value();
    assert_eq!(result["test_status"], 0);
    let log = anyone.get(&format!("/v1/result/{done}/log/output")).value();
    assert_eq!(log["output"]["test"]["log_data"], "golden line\n");
    let artifact = anyone.get(&format!("/v1/result/{done}/artifact"));
    assert_eq!(artifact.body, b"golden artifact");
    for name in ["first", "second", "third"] {
        let job = anyone.get("/v1/job?queue=q").value();
        assert_eq!((&job["name"], &job["tags"]), (&json!(name), &json!(["a", name])));
    }
    assert_eq!(anyone.claim("q"), None);
    let agent = anyone.get("/v1/agents/data/rack1").value();
    assert_eq!((&agent["queues"], &agent["state"]), (&json!(["q"]), &json!("waiting")));
    if anyone.get("/v1/queues/other/jobs").status == 200 {
        assert!(anyone.get("/jobs?by=keeper").text().contains("of a client"));
    }
    let tokens = program.log_in("keeper", SECRET);
    assert_eq!(tokens.status, 200);
    let log = program.stop();
    Cli(data).ok(&["check"]);
    log
}

#[test]
fn data_of_every_older_version_is_kept_aside_and_upgraded() {
    for version in VERSIONS {
        let dir = tempfile::tempdir().unwrap();
        let data = unpack(version, dir.path());
        let log = is_all_there(&data);
        let copy = data.join(format!("testflinger.redb.schema-{version}"));
        assert!(log.iter().any(|line| line.contains(text(&copy))), "{log:#?}");
        // The way back is one `mv`: the copy is what the older program left, whole, and only its owner may read it.
        assert_eq!(schema(&data.join("testflinger.redb")), 4);
        assert_eq!(schema(&copy), version);
        assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(names(&data).iter().all(|name| !name.ends_with(".partial")));
    }
}

#[test]
fn data_that_is_up_to_date_is_not_copied() {
    let dir = tempfile::tempdir().unwrap();
    let data = unpack(1, dir.path());
    drop(Program::serve_with(&data, &FOR_EVER).stop());
    fs::remove_file(data.join(COPY)).unwrap();
    drop(Program::serve_with(&data, &FOR_EVER).stop());
    assert!(!data.join(COPY).exists());
}

#[test]
fn an_upgrade_that_was_interrupted_is_done_again() {
    let dir = tempfile::tempdir().unwrap();
    let data = unpack(1, dir.path());
    fs::write(data.join(COPY), "half a copy, if copies were not made aside").unwrap();
    fs::write(data.join("testflinger.redb.partial"), "half").unwrap();
    is_all_there(&data);
    assert!(fs::metadata(data.join(COPY)).unwrap().len() > 10_000);
}

#[test]
fn a_check_does_not_upgrade() {
    let dir = tempfile::tempdir().unwrap();
    let data = unpack(1, dir.path());
    let said = Cli(&data).fails(6, &["check"]);
    assert!(said.contains("version 1") && said.contains("version 4"), "{said}");
    assert!(!data.join(COPY).exists());
}

#[test]
fn a_backup_upgrades_and_keeps_what_was_there_as_a_start_does() {
    let dir = tempfile::tempdir().unwrap();
    let data = unpack(1, dir.path());
    let (backup, new) = (dir.path().join("b.tar"), dir.path().join("new"));
    Cli(&data).ok(&["backup", text(&backup)]);
    assert!(data.join(COPY).exists());
    Cli(&new).ok(&["restore", text(&backup)]);
    is_all_there(&new);
}

#[test]
fn data_of_a_newer_version_is_refused_by_every_command() {
    let dir = tempfile::tempdir().unwrap();
    let data = unpack(1, dir.path());
    set_schema(&data, 9);
    let before = fs::read(data.join("testflinger.redb")).unwrap();
    let backup = dir.path().join("b.tar");
    for args in [&["check"][..], &["backup", text(&backup)], &["serve", "--listen", "127.0.0.1:0"]]
    {
        let said = Cli(&data).fails(6, args);
        assert!(said.contains("version 9") && said.contains("up to 4"), "{said}");
    }
    assert_eq!(names(dir.path()), ["data"]);
    assert_eq!(names(&data), ["blobs", "testflinger.redb"]);
    assert_eq!(fs::read(data.join("testflinger.redb")).unwrap().len(), before.len());
}
