//! Keys of secrets: sealed on disk, replaced, lost.

use std::path::Path;

use serde_json::json;

use super::Lab;
use crate::binary::cli::{Cli, text};
use crate::support::auth::SECRET;
use crate::support::{Caller, Program, run_with_input};

const VALUE: &str = "planted-value-4711";

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Every file below a directory.
fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false if path.extension().is_some_and(|end| end == "sock") => {}
            false => found.push(path),
        }
    }
    found
}

/// A data directory with a secret of `ci` and a job that was claimed with it.
fn filled(data: &Path) -> Program {
    let program = Program::serve(data);
    for (id, role) in [("ci", "contributor"), ("rack", "agent")] {
        assert!(Cli(data).create(id, &["--role", role]).status.success());
    }
    let ci = caller(&program, "ci");
    for path in ["a", "b"] {
        let body = json!({ "value": VALUE });
        assert_eq!(ci.put(&format!("/v1/secrets/ci/{path}"), &body).status, 200);
    }
    program
}

fn caller(program: &Program, id: &str) -> Caller {
    let token = program.log_in(id, SECRET).value()["access_token"].as_str().unwrap().to_owned();
    program.anonymous().header("Authorization", &format!("Bearer {token}"))
}

fn submit(program: &Program) -> String {
    let secrets = json!({ "A": "a", "B": "b" });
    let job = json!({ "job_queue": "q", "test_data": { "secrets": secrets } });
    caller(program, "ci").submit(&job)
}

fn claim(program: &Program) -> serde_json::Value {
    let agent = caller(program, "rack").header("Cookie", "agent_name=rack1");
    agent.get("/v1/job?queue=q").value()["test_data"]["secrets"].clone()
}

#[test]
fn no_file_and_no_log_line_holds_a_value() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let program = filled(&data);
    submit(&program);
    assert_eq!(claim(&program), json!({ "A": VALUE, "B": VALUE }));
    let backup = dir.path().join("backup.tar");
    Cli(&data).ok(&["backup", backup.to_str().unwrap()]);
    let said = program.stop().join("\n");
    assert!(!said.contains(VALUE), "{said}");
    let journal = std::fs::read(data.join("testflinger.journal")).unwrap();
    assert!(holds(&journal, b"secret-1") && holds(&journal, b"job-secret-1"));
    for path in files(dir.path()) {
        let bytes = std::fs::read(&path).unwrap();
        assert!(!holds(&bytes, VALUE.as_bytes()), "{}", path.display());
    }
    let support = dir.path().join("support.tar");
    Cli(&data).ok(&["backup", support.to_str().unwrap(), "--without-secrets"]);
    for (name, bytes) in crate::backup::entries(&support) {
        let of_secrets = name == "rows/secret-1" || name == "rows/job-secret-1";
        assert!(!of_secrets || bytes.is_empty(), "{name}");
        assert!(!name.starts_with("keys/"), "{name}");
    }
}

#[test]
fn a_key_is_replaced_while_the_server_runs_and_when_it_is_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let program = filled(&data);
    submit(&program);
    let key = || std::fs::read(data.join("keys/secrets.key")).unwrap();
    let first = key();
    assert_eq!(claim(&program), json!({ "A": VALUE, "B": VALUE }));
    let said = Cli(&data).ok(&["rotate-secrets-key"]);
    assert!(said.contains("4 values were sealed under the new key"), "{said}");
    let second = key();
    assert_ne!(first, second);
    assert_eq!(
        claim(&program),
        json!({ "A": VALUE, "B": VALUE }),
        "the same job, handed out again"
    );
    drop(program.stop());
    Cli(&data).ok(&["rotate-secrets-key"]);
    assert_ne!(second, key());
    assert!(!data.join("keys/secrets-old.key").exists());
    let program = Program::serve(&data);
    assert_eq!(claim(&program), json!({ "A": VALUE, "B": VALUE }));
}

#[test]
fn a_replacement_that_was_interrupted_is_finished_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let program = filled(&data);
    drop(program.stop());
    // As if the process had ended when the new key had its name, and nothing was sealed under it yet.
    let keys = data.join("keys");
    std::fs::rename(keys.join("secrets.key"), keys.join("secrets-old.key")).unwrap();
    std::fs::write(keys.join("secrets.key"), "bmV3IGtleQ==").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(keys.join("secrets.key"), mode).unwrap();
    let program = Program::serve(&data);
    submit(&program);
    assert_eq!(claim(&program), json!({ "A": VALUE, "B": VALUE }), "both keys open");
    let said = Cli(&data).ok(&["rotate-secrets-key"]);
    assert!(said.contains("4 values"), "{said}");
    assert_eq!(std::fs::read(keys.join("secrets.key")).unwrap(), b"bmV3IGtleQ==");
    assert!(!keys.join("secrets-old.key").exists());
}

#[test]
fn a_lost_key_is_said_with_names_and_nothing_is_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let program = filled(&data);
    submit(&program);
    drop(program.stop());
    std::fs::remove_file(data.join("keys/secrets.key")).unwrap();
    let program = Program::serve(&data);
    assert_eq!(claim(&program), json!({ "A": "", "B": "" }));
    let listed = Cli(&data).ok(&["secret-admin", "list", "--json"]);
    assert_eq!(listed.matches("\"path\"").count(), 2, "{listed}");
    let said = program.stop().join("\n");
    assert!(said.contains("2 secrets were sealed under a key that is not here"), "{said}");
    assert!(said.contains("ci:a, ci:b") && said.contains("secrets.key"), "{said}");
    assert!(Cli(&data).fails(1, &["rotate-secrets-key"]).contains("a key that is not here"));
}

#[test]
fn the_command_line_writes_lists_and_deletes_without_showing_a_value() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    drop(filled(&data).stop());
    let put = |args: &[&str], value: &str| {
        let args =
            [&["secret-admin", "put"], args, &["--data-dir", data.to_str().unwrap()]].concat();
        run_with_input(&args, value)
    };
    let written = put(&["ci", "c/d", "--expire-after", "60"], &format!("{VALUE}\n"));
    assert!(written.status.success(), "{}", text(&written.stderr));
    assert_eq!(put(&["nobody", "c"], "v").status.code(), Some(1));
    assert_eq!(put(&["ci", "../c"], "v").status.code(), Some(2));
    let listed = Cli(&data).ok(&["secret-admin", "list", "--client", "ci"]);
    assert!(listed.contains("c/d") && !listed.contains(VALUE), "{listed}");
    let shown = Cli(&data).ok(&["client-admin", "show", "ci"]);
    assert!(shown.contains("secrets                 3"), "{shown}");
    Cli(&data).ok(&["secret-admin", "delete", "ci", "c/d"]);
    let listed = Cli(&data).ok(&["secret-admin", "list", "--json"]);
    assert_eq!(listed.matches("\"path\"").count(), 2, "{listed}");
}

#[test]
fn a_value_opens_at_no_other_place() {
    // The unit tests of `secrets` move bytes; from outside a client can only try to read what another one wrote.
    let lab = Lab::new();
    lab.write("a", &json!({ "value": VALUE }));
    let other = lab.server.client("other", "contributor");
    let job = json!({ "job_queue": "q", "test_data": { "secrets": { "A": "ci/a" } } });
    assert_eq!(other.post("/v1/job", &job).status, 422);
}
