//! Runs the commands of `README.md`. A comment before a block of commands may say who runs it instead, why nobody does, or
//! that the server is stopped.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::support::{Program, program};

const SERVER: &str = "http://localhost:8000";

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// The blocks of commands, each with the comment before it.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    let mut before = "";
    while let Some(line) = lines.next() {
        if line == "```sh" {
            let code: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            let comment = before.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
            found.push((comment.unwrap_or_default().to_owned(), code.join("\n")));
        }
        before = line;
    }
    found
}

/// A directory in which the commands find what they name.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let bin = home.path().join("bin");
    fs::create_dir(&bin).unwrap();
    symlink(program().get_program(), bin.join("testflinger-server")).unwrap();
    // The machine that takes a backup over ssh is this one.
    fs::write(bin.join("ssh"), "#!/bin/sh\nexec sh -c \"$2\"\n").unwrap();
    fs::set_permissions(bin.join("ssh"), fs::Permissions::from_mode(0o755)).unwrap();
    for (name, text) in [
        ("secret", "a secret of the lab\n"),
        ("password", "a password of the lab\n"),
        ("clients.json", ""),
    ] {
        fs::write(home.path().join(name), text).unwrap();
    }
    home
}

#[test]
fn the_commands_of_the_readme_work() {
    let home = home();
    let data = home.path().join(".local/share/testflinger-server");
    fs::create_dir_all(data.parent().unwrap()).unwrap();
    let mut server = Some(Program::serve(&data));
    let url = server.as_ref().map(|server| server.url.clone()).unwrap();
    let place = home.path().to_str().unwrap();
    let mut ran = 0;
    for (comment, code) in blocks(&readme()) {
        match comment.as_str() {
            "" => {}
            "stopped" => drop(server.take().map(Program::stop)),
            _ => continue,
        }
        let code = code.replace(SERVER, &url).replace("/srv/", &format!("{place}/"));
        let path = format!("{place}/bin:/usr/local/bin:/usr/bin:/bin");
        let output = Command::new("bash")
            .args([
                "-euo",
                "pipefail",
                "-c",
                &format!("curl() {{ command curl --fail \"$@\"; }}\n{code}"),
            ])
            .env_clear()
            .envs([("PATH", path.as_str()), ("HOME", place)])
            .env("TESTFLINGER_DATA_DIR", &data)
            .current_dir(&home)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{code}\n{said}");
        ran += 1;
    }
    assert!(ran >= 4, "only {ran} blocks of commands were found");
}

#[test]
fn commands_that_something_else_runs_are_there() {
    for (comment, code) in blocks(&readme()) {
        let Some(runners) = comment.strip_prefix("run by: ") else { continue };
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
        let scripts: Vec<_> = runners.split(" and ").map(read).collect();
        for line in code.lines() {
            // What it begins with, because the rest depends on where things lie; OPERATIONS.md is what its test runs.
            let words = line.split(" target/").next().unwrap();
            let operations = read("docs/OPERATIONS.md");
            let is_run = scripts.iter().chain([&operations]).any(|script| script.contains(words));
            assert!(is_run, "{runners} do not run: {line}");
        }
    }
}
