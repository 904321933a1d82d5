//! The units: that systemd understands them, how much they expose, and what the nightly ones do.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use super::{Filled, names, text};
use crate::support::{Program, run};

const UNITS: [&str; 6] = [
    "testflinger-backup.service",
    "testflinger-backup.timer",
    "testflinger-check.service",
    "testflinger-check.timer",
    "testflinger-server.service",
    "testflinger-server.socket",
];

fn unit(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name);
    fs::read_to_string(path).unwrap()
}

/// A tree with the units and what they name.
fn tree() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let units = root.path().join("etc/systemd/system");
    for folder in [units.clone(), root.path().join("usr/bin"), root.path().join("bin")] {
        fs::create_dir_all(folder).unwrap();
    }
    for program in ["usr/bin/testflinger-server", "bin/mkdir", "bin/kill"] {
        fs::copy("/bin/true", root.path().join(program)).unwrap();
    }
    for name in UNITS {
        fs::write(units.join(name), unit(name)).unwrap();
    }
    // What every unit depends on.
    fs::write(units.join("sysinit.target"), "[Unit]\nDescription=x\n").unwrap();
    root
}

/// Runs `systemd-analyze` on the tree; `None` where there is none.
fn analyze(verb: &str, more: &[&str], tree: &TempDir) -> Option<Output> {
    let root = format!("--root={}", text(tree.path()));
    let output = Command::new("systemd-analyze").args([verb, &root]).args(more).output();
    if output.is_err() {
        assert!(std::env::var_os("TESTFLINGER_NO_SKIP").is_none(), "systemd-analyze is missing");
        eprintln!("SKIP SKIP SKIP: systemd-analyze is missing");
    }
    output.ok()
}

#[test]
fn systemd_understands_them() {
    let paths = UNITS.map(|name| format!("/etc/systemd/system/{name}"));
    let more: Vec<&str> =
        std::iter::once("--man=no").chain(paths.iter().map(String::as_str)).collect();
    let Some(output) = analyze("verify", &more, &tree()) else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    let about_us: Vec<&str> = said.lines().filter(|line| line.contains("testflinger")).collect();
    assert!(about_us.is_empty(), "{said}");
}

#[test]
fn the_server_exposes_little() {
    // The threshold is ten times the figure that is shown: at most 1.5.
    let more = ["--offline=true", "--threshold=15", "--no-pager", "testflinger-server.service"];
    let Some(output) = analyze("security", &more, &tree()) else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_command_of_the_service_makes_backups_beside_a_running_server() {
    let filled = Filled::new();
    let folder = filled.path("backups");
    fs::create_dir(&folder).unwrap();
    let unit = unit(UNITS[0]);
    let command = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let command = command.replace("/var/backups/testflinger-server", text(&folder));
    let words: Vec<&str> = command.split(' ').collect();
    assert_eq!(words[0], "/usr/bin/testflinger-server");
    let server = Program::serve(&filled.data());
    let data = filled.data();
    let output = run(&words[1..], &[("TESTFLINGER_DATA_DIR", text(&data))]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made = names(&folder);
    assert_eq!(made.len(), 1, "{made:?}");
    let verified = run(&["verify", "--drill", text(&folder)], &[]);
    assert!(verified.status.success());
    assert!(
        String::from_utf8_lossy(&verified.stdout).contains(&made[0]),
        "the newest one is meant"
    );
    // The server's log says when, how much, and how long it took.
    let log = server.stop();
    let said = log.iter().find(|line| line.contains("a backup was sent")).unwrap();
    assert!(
        said.contains("rows=") && said.contains("bytes=") && said.contains("seconds="),
        "{said}"
    );
}
