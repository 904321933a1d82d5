//! The units for nightly backups.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Filled, names, text};
use crate::support::{Program, run};

const UNITS: [&str; 2] = ["testflinger-backup.service", "testflinger-backup.timer"];

fn unit(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name);
    fs::read_to_string(path).unwrap()
}

#[test]
fn systemd_understands_them() {
    let root = tempfile::tempdir().unwrap();
    let units = root.path().join("etc/systemd/system");
    for folder in [units.clone(), root.path().join("usr/bin"), root.path().join("bin")] {
        fs::create_dir_all(folder).unwrap();
    }
    for program in ["usr/bin/testflinger-server", "bin/mkdir"] {
        fs::copy("/bin/true", root.path().join(program)).unwrap();
    }
    for name in UNITS {
        fs::write(units.join(name), unit(name)).unwrap();
    }
    // What every unit depends on.
    fs::write(units.join("sysinit.target"), "[Unit]\nDescription=x\n").unwrap();
    let root = format!("--root={}", text(root.path()));
    let paths = UNITS.map(|name| format!("/etc/systemd/system/{name}"));
    let verify =
        Command::new("systemd-analyze").args(["verify", "--man=no", &root]).args(paths).output();
    let Ok(output) = verify else {
        eprintln!("SKIP SKIP SKIP: systemd-analyze is missing");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let about_us: Vec<&str> = said.lines().filter(|line| line.contains("testflinger")).collect();
    assert!(about_us.is_empty(), "{said}");
}

#[test]
fn the_command_of_the_service_makes_backups_beside_a_running_server() {
    let filled = Filled::new();
    let folder = filled.path("backups");
    fs::create_dir(&folder).unwrap();
    let unit = unit(UNITS[0]);
    let command = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let command = command
        .replace("/var/backups/testflinger-server", text(&folder))
        .replace("/var/lib/testflinger-server", text(&filled.data()));
    let words: Vec<&str> = command.split(' ').collect();
    assert_eq!(words[0], "/usr/bin/testflinger-server");
    let server = Program::serve(&filled.data());
    let output = run(&words[1..], &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made = names(&folder);
    assert_eq!(made.len(), 1, "{made:?}");
    assert!(run(&["verify", text(&folder.join(&made[0]))], &[]).status.success());
    // The server's log says when, how much, and how long it took.
    let log = server.stop();
    let said = log.iter().find(|line| line.contains("a backup was sent")).unwrap();
    assert!(
        said.contains("rows=") && said.contains("bytes=") && said.contains("seconds="),
        "{said}"
    );
}
