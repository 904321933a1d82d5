//! `status`, and the backups that the server remembers.

use std::path::Path;

use serde_json::{Value, json};

use super::cli::{Cli, text};
use crate::support::{Program, TestServer};

const NO_BACKUP: &str = "There is no verified backup that is younger than alert_backup_age";

fn status(data: &Path, code: i32) -> Value {
    let output = Cli(data).run(&["status", "--json"]);
    assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_server_that_does_not_run_has_no_status_and_an_exit_code_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let said = Cli(dir.path()).fails(9, &["status"]);
    assert!(said.contains("no server is running on"), "{said}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn nothing_needs_a_person_once_there_is_a_verified_backup() {
    let dir = tempfile::tempdir().unwrap();
    let (data, backup) = (dir.path().join("data"), dir.path().join("lab.tar"));
    let program = Program::serve(&data);
    let agent = json!({ "state": "waiting", "queues": ["q"] });
    program.anonymous().post("/v1/agents/data/rack", &agent);
    let before = status(&data, 1);
    assert_eq!(before["warnings"], json!([NO_BACKUP]));
    assert_eq!(before["backups"], json!([]));
    assert_eq!(before["agents"], json!({ "busy": 0, "idle": 1, "offline": 0, "silent": 0 }));
    Cli(&data).ok(&["backup", backup.to_str().unwrap()]);
    let after = status(&data, 0);
    assert_eq!(after["warnings"], json!([]));
    let noted = &after["backups"][0];
    assert_eq!((&noted["verified"], &noted["missing"]), (&json!(true), &json!(0)));
    assert_eq!(noted["to"], backup.to_str().unwrap());
    assert!(noted["bytes"].as_u64().unwrap() > 0, "{noted}");
    let shown = Cli(&data).ok(&["status"]);
    for words in ["server    ", "0 busy, 1 idle", "verified: ", "NAME"] {
        assert!(shown.contains(words), "{shown}");
    }
    assert!(!shown.contains("warning"), "{shown}");
}

#[test]
fn what_waits_for_nobody_needs_a_person() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::serve(dir.path());
    let id = program.anonymous().submit(&json!({ "job_queue": "q" }));
    let status = status(dir.path(), 1);
    assert_eq!(
        (&status["oldest_waiting"]["job_id"], &status["jobs"]["waiting"]),
        (&json!(id), &json!(1))
    );
    let why = "Jobs wait in queues without agents: q";
    assert_eq!(status["warnings"][0], why);
    let output = Cli(dir.path()).run(&["status"]);
    assert!(text(&output.stdout).contains(&format!("warning: {why}")));
    assert!(text(&output.stderr).contains("2 things need a person"));
}

#[test]
fn a_backup_on_a_stopped_server_is_remembered_and_one_for_support_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (data, backup) = (dir.path().join("data"), dir.path().join("lab.tar"));
    drop(Program::serve(&data).stop());
    let cli = Cli(&data);
    cli.ok(&["backup", backup.to_str().unwrap(), "--without-secrets"]);
    assert!(!data.join("backups.json").exists());
    cli.ok(&["backup", backup.to_str().unwrap(), "--force"]);
    let _program = Program::serve(&data);
    assert_eq!(status(&data, 0)["backups"][0]["verified"], true);
}

#[test]
fn a_backup_that_was_only_sent_does_not_count_as_verified() {
    let dir = tempfile::tempdir().unwrap();
    let _program = Program::serve(dir.path());
    assert!(Cli(dir.path()).run(&["backup", "-"]).status.success());
    let status = status(dir.path(), 1);
    let noted = &status["backups"][0];
    assert_eq!((&noted["verified"], &noted["to"]), (&json!(false), &json!("-")));
    assert_eq!(status["warnings"], json!([NO_BACKUP]));
}

#[test]
fn a_note_that_is_damaged_counts_as_none_and_the_next_one_replaces_it() {
    let server = TestServer::start();
    let status = || server.local().send("GET", "/admin/status", None).value();
    let note = json!({
        "at": "2026-11-20T00:00:00Z", "bytes": 7, "missing": 0, "to": "/b.tar", "verified": true,
    });
    std::fs::write(server.data_dir().join("backups.json"), "{\"verified\":1}").unwrap();
    assert_eq!(status()["warnings"], json!([NO_BACKUP]));
    assert_eq!(server.local().send("PUT", "/admin/backup", Some(&note)).status, 200);
    assert_eq!(
        (&status()["warnings"], &status()["backups"]),
        (&json!([NO_BACKUP]), &json!([note]))
    );
    let page = server.anonymous().get("/");
    assert!(
        page.text().contains(NO_BACKUP) && page.text().contains("Last backup"),
        "{}",
        page.text()
    );
}

#[test]
fn a_note_that_makes_no_sense_is_refused() {
    let server = TestServer::start();
    let note = json!({ "at": "soon", "bytes": -1, "missing": 0, "to": "", "verified": true });
    let answer = server.local().send("PUT", "/admin/backup", Some(&note));
    assert_eq!(answer.status, 422);
    for member in ["at", "bytes", "to"] {
        assert!(answer.value()["detail"]["json"][member].is_array(), "{}", answer.text());
    }
}
