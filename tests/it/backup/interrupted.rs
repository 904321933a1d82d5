//! Backups, drills and restores that are interrupted leave nothing.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use super::{Filled, names, text};
use crate::binary::cli::Cli;
use crate::support::{program, until};

/// Runs a command that reads a backup from its standard input, and interrupts it in the middle.
#[track_caller]
fn interrupted(args: &[&str], filled: &Filled, under_way: &str) {
    let backup = fs::read(filled.backup()).unwrap();
    let before = names(filled.dir.path());
    let mut child = program()
        .args(args)
        .current_dir(filled.dir.path())
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&backup[..backup.len() / 2]).unwrap();
    let begun = filled.path(under_way);
    until("it is under way", || begun.exists());
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(said.any(|line| line.contains("interrupted: cleaning up")));
    // It may be gone before it has read all this.
    let _ = stdin.write_all(&backup[backup.len() / 2..]);
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(said.any(|line| line.contains("testflinger-server: interrupted")));
    assert_eq!(names(filled.dir.path()), before);
}

#[test]
fn a_restore_leaves_nothing() {
    let filled = Filled::new();
    let new = filled.path("new");
    interrupted(&["restore", "-", "--data-dir", text(&new)], &filled, "new.partial");
}

#[test]
fn a_drill_leaves_nothing() {
    let filled = Filled::new();
    let under_way = "testflinger-backup.drill.partial";
    interrupted(&["verify", "--drill", "-"], &filled, under_way);
}

#[test]
fn the_next_backup_sweeps_what_killed_ones_left_and_nothing_else() {
    let filled = Filled::new();
    let folder = filled.path("backups");
    fs::create_dir(&folder).unwrap();
    let name = |second: u32| format!("testflinger-20200101T00000{second}Z.tar");
    let [left, busy, drill, data] = [0, 1, 2, 3].map(|second| folder.join(name(second)));
    let partial = |path: &std::path::Path, end: &str| format!("{}{end}", text(path));
    fs::write(partial(&left, ".partial"), "half").unwrap();
    let writing = fs::File::create(partial(&busy, ".partial")).unwrap();
    writing.lock().unwrap();
    let drill = partial(&drill, ".drill.partial");
    fs::create_dir_all(format!("{drill}/blobs")).unwrap();
    fs::write(format!("{drill}/RESTORING"), "").unwrap();
    let data = partial(&data, ".drill.partial");
    fs::create_dir_all(format!("{data}/blobs")).unwrap();
    fs::write(folder.join("other.tar.partial"), "somebody's").unwrap();
    let output = Cli(&filled.data()).run(&["backup", text(&folder)]);
    assert!(output.status.success());
    let left = names(&folder);
    let expected = ["other.tar.partial", &partial(&busy, ".partial"), &data]
        .map(|path| std::path::Path::new(path).file_name().unwrap().to_str().unwrap().to_owned());
    assert_eq!(left.len(), 4, "{left:?}");
    assert!(expected.iter().all(|name| left.contains(name)), "{left:?}");
}
