//! `backup`

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use super::{Filled, content, entries, names, text};
use crate::binary::cli::Cli;
use crate::support::{Part, Program, ZERO, program};

#[test]
fn tar_and_sha256sum_can_open_and_check_a_backup() {
    let filled = Filled::new();
    let backup = filled.backup();
    let out = filled.path("out");
    fs::create_dir(&out).unwrap();
    let unpacked = Command::new("tar").arg("-xf").arg(&backup).arg("-C").arg(&out).status();
    assert!(unpacked.unwrap().success());
    let mut sums = Command::new("sha256sum");
    sums.args(["-c", "--quiet", "SHA256SUMS"]).current_dir(&out);
    assert!(sums.status().unwrap().success());
    let listed: Vec<String> = entries(&backup).into_iter().map(|(name, _)| name).collect();
    assert_eq!(listed.first().unwrap(), "manifest.json");
    assert_eq!(listed.last().unwrap(), "SHA256SUMS");
    let text = fs::read_to_string(out.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&manifest["format"], &manifest["rows"]["job-1"]["count"]), (&1.into(), &4.into()));
    assert_eq!(manifest["files"]["bytes"], filled.artifact.len());
    for name in ["product", "created_at", "host", "instance"] {
        assert!(!manifest[name].as_str().unwrap().is_empty(), "{name}: {manifest}");
    }
}

#[test]
fn a_backup_is_the_same_whether_a_server_runs_or_not() {
    let filled = Filled::new();
    let stopped = filled.backup();
    let _program = Program::serve(&filled.data());
    let running = filled.path("running.tar");
    let output = Cli(&filled.data()).run(&["backup", text(&running)]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("using the running server"));
    assert_eq!(content(&running), content(&stopped));
}

#[test]
fn a_backup_shows_one_moment_and_nobody_waits_for_it() {
    let filled = Filled::new();
    let data = filled.data();
    let server = Program::serve(&data);
    let anyone = server.anonymous();
    let path = format!("/v1/result/{ZERO}/artifact");
    // More than all buffers on the way hold, so that the backup waits in the middle of it.
    let large = vec![7; 16 << 20];
    assert_eq!(anyone.upload(&path, &[Part("file", &large)]).status, 200);
    let mut child = program()
        .args(["backup", "-", "--data-dir", text(&data)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut bytes = vec![0; 512];
    stdout.read_exact(&mut bytes).unwrap();
    // Now something is submitted, and the file goes that the backup is about to read.
    anyone.submit(&serde_json::json!({ "job_queue": "late" }));
    assert_eq!(anyone.upload(&path, &[Part("file", b"small")]).status, 200);
    let second = Cli(&data).fails(4, &["backup", text(&filled.path("second.tar"))]);
    assert!(second.contains("a backup or a check is under way"), "{second}");
    assert!(!filled.path("second.tar.partial").exists());
    stdout.read_to_end(&mut bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && said.contains("sent") && !said.contains("verified"),
        "{said}"
    );
    let backup = filled.path("backup.tar");
    fs::write(&backup, &bytes).unwrap();
    Cli(&data).ok(&["verify", text(&backup)]);
    let found = content(&backup);
    assert!(found.values().any(|bytes| *bytes == large));
    let bodies = String::from_utf8_lossy(&found["rows/job-body-1"]).into_owned();
    assert!(bodies.contains("\"q\"") && !bodies.contains("late"), "{bodies}");
    // What had to stay for the backup is gone by now.
    drop(server.stop());
    assert!(Cli(&data).ok(&["check"]).contains("1 file (5 B)"));
    Cli(&data).ok(&["backup", text(&filled.path("third.tar"))]);
}

#[test]
fn a_backup_belongs_to_nobody_else_whatever_the_umask() {
    let filled = Filled::new();
    let backup = filled.path("b.tar");
    let binary = program().get_program().to_str().unwrap().to_owned();
    let data = filled.data();
    let script = format!("umask 0; {binary} backup {} --data-dir {}", text(&backup), text(&data));
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
    assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn an_existing_file_is_replaced_only_by_force() {
    let filled = Filled::new();
    let backup = filled.path("b.tar");
    fs::write(&backup, "precious").unwrap();
    let cli = filled.data();
    let said = Cli(&cli).fails(3, &["backup", text(&backup)]);
    assert!(said.contains(text(&backup)) && said.contains("--force"), "{said}");
    assert_eq!(fs::read(&backup).unwrap(), b"precious");
    Cli(&cli).ok(&["backup", text(&backup), "--force"]);
    Cli(&cli).ok(&["verify", text(&backup)]);
}

#[test]
fn what_an_interrupted_backup_left_is_named_and_replaced() {
    let filled = Filled::new();
    let partial = filled.path("b.tar.partial");
    fs::write(&partial, "half").unwrap();
    let output = Cli(&filled.data()).run(&["backup", text(&filled.path("b.tar"))]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains(text(&partial)));
    assert!(!partial.exists());
    Cli(&filled.data()).ok(&["verify", text(&filled.path("b.tar"))]);
}

#[test]
fn two_backups_into_one_file_do_not_meet() {
    let filled = Filled::new();
    let partial = filled.path("b.tar.partial");
    let other = fs::File::create(&partial).unwrap();
    other.lock().unwrap();
    let said = Cli(&filled.data()).fails(4, &["backup", text(&filled.path("b.tar"))]);
    assert!(said.contains("in use by another process"), "{said}");
    assert!(partial.exists());
}

#[test]
fn a_reader_that_goes_away_makes_the_backup_fail() {
    let filled = Filled::new();
    let mut child = program()
        .args(["backup", "-", "--data-dir", text(&filled.data())])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(!String::from_utf8_lossy(&output.stderr).contains("verified"));
}

#[test]
fn a_damaged_file_stops_the_backup_and_is_named() {
    let filled = Filled::new();
    let folder = fs::read_dir(filled.data().join("blobs")).unwrap().next().unwrap().unwrap().path();
    let file = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&file).unwrap();
    bytes[1000] ^= 1;
    for bytes in [bytes, b"short".to_vec()] {
        fs::write(&file, bytes).unwrap();
        for running in [false, true] {
            let _program = running.then(|| Program::serve(&filled.data()));
            let said = Cli(&filled.data()).fails(5, &["backup", text(&filled.path("b.tar"))]);
            assert!(said.contains(text(&file)) && said.contains("check --repair"), "{said}");
            assert_eq!(names(filled.dir.path()), ["data"]);
        }
    }
}

#[test]
fn a_directory_without_data_is_not_backed_up() {
    let dir = tempfile::tempdir().unwrap();
    let said = Cli(dir.path()).fails(1, &["backup", text(&dir.path().join("b.tar"))]);
    assert!(said.contains("there is no data in"), "{said}");
    assert!(names(dir.path()).is_empty());
}
