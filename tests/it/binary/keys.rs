//! The key that signs tokens, and the first admin.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::cli::{Cli, text};
use crate::support::auth::SECRET;
use crate::support::{Program, run};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_key_is_made_once_for_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("keys/jwt.key");
    Program::serve(dir.path()).stop();
    assert_eq!((mode(&key), mode(key.parent().unwrap())), (0o600, 0o700));
    let first = std::fs::read(&key).unwrap();
    Program::serve(dir.path()).stop();
    assert_eq!(std::fs::read(&key).unwrap(), first);
}

#[test]
fn a_key_that_others_could_read_or_that_is_empty_is_refused_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    Program::serve(dir.path()).stop();
    let key = dir.path().join("keys/jwt.key");
    let secret = std::fs::read_to_string(&key).unwrap();
    let args = ["serve", "--listen", "127.0.0.1:0", "--data-dir", dir.path().to_str().unwrap()];
    for readable in [0o640, 0o604] {
        set_mode(&key, readable);
        let output = run(&args, &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("other users can read") && said.contains("jwt.key"), "{said}");
        assert!(said.contains("chmod 600") && !said.contains(&secret), "{said}");
    }
    std::fs::write(&key, "").unwrap();
    set_mode(&key, 0o600);
    let output = run(&args, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("jwt.key is empty"), "{}", text(&output.stderr));
}

#[test]
fn a_site_that_brings_its_key_has_tokens_that_are_good_on_all_its_servers() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for dir in [&here, &there] {
        assert!(Cli(dir.path()).create("boss", &["--role", "manager"]).status.success());
    }
    let env = [("JWT_SIGNING_KEY", "the key of this site")];
    let one = Program::serve_in(here.path(), &[], &env);
    let token = one.log_in("boss", SECRET).value()["access_token"].as_str().unwrap().to_owned();
    let ask = |program: &Program| {
        let caller = program.anonymous().header("Authorization", &format!("Bearer {token}"));
        caller.get("/v1/client-permissions").status
    };
    let other = Program::serve_in(there.path(), &[], &env);
    assert_eq!((ask(&one), ask(&other)), (200, 200));
    other.stop();
    assert_eq!(ask(&Program::serve(there.path())), 403);
}

#[test]
fn a_key_that_was_written_into_the_configuration_is_not_repeated() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "listen = \"127.0.0.1:0\"\njwt_signing_key = \"hunter2\"\n")
        .unwrap();
    let path = file.path().to_str().unwrap();
    let output = run(&["serve", "--config", path], &[("HOME", "/nowhere")]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for word in ["jwt_signing_key", path, "line 2"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn an_empty_server_prints_the_command_that_makes_its_first_admin_and_later_does_not() {
    let (dir, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let program = Program::serve_with(dir.path(), &["--log-format", "json"]);
    crate::support::until("the hint is logged", || {
        program.log().iter().any(|line| line.contains("no client yet"))
    });
    let log = program.log();
    let line = log.iter().find(|line| line.contains("no client yet")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let message = line["fields"]["message"].as_str().unwrap();
    let command = message.split_once("create the admin with: testflinger-server ").unwrap().1;
    let args: Vec<&str> = command.split_whitespace().chain(["--generate"]).collect();
    // The command works as it is printed, wherever data would be kept by default.
    let output = run(&args, &[("HOME", home.path().to_str().unwrap())]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let secret = text(&output.stdout);
    assert_eq!(program.log_in("testflinger-admin", secret.trim()).status, 200);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    program.stop();
    let log = Program::serve(dir.path()).stop();
    assert!(log.iter().all(|line| !line.contains("no client yet")), "{log:#?}");
}

#[test]
fn a_directory_in_which_others_could_replace_keys_is_refused_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    Program::serve(&data).stop();
    let args = ["serve", "--listen", "127.0.0.1:0", "--data-dir", data.to_str().unwrap()];
    for open in [data.clone(), data.join("keys")] {
        let before = mode(&open);
        set_mode(&open, 0o777);
        let output = run(&args, &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("chmod go-w {}", open.display())), "{said}");
        set_mode(&open, before);
    }
    if rustix::process::geteuid().is_root() {
        let key = data.join("keys/jwt.key");
        std::os::unix::fs::chown(&key, Some(12345), None).unwrap();
        let output = run(&args, &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("chown 0 {}", key.display())), "{said}");
    }
}

#[test]
fn a_secret_for_webhooks_needs_a_list_of_who_may_have_it() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["serve", "--listen", "127.0.0.1:0", "--data-dir", dir.path().to_str().unwrap()];
    let output = run(&args, &[("WEBHOOK_AUTH", "a token")]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("webhook_auth is set without webhook_url"), "{said}");
    let env = [("WEBHOOK_AUTH", "a token"), ("WEBHOOK_URL", "https://ci.example.com")];
    Program::serve_in(dir.path(), &[], &env).stop();
}
