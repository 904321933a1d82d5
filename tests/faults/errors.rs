//! The disk fails or is full at any call.

use std::fs;

use super::fixture::{Fixture, Told, copy, is_sound};
use super::tools::{Fault, Server, has_strace, run, text};

/// What a disk may say to a server that writes, and the exit code of the server if it ends.
const REFUSALS: [(&str, &str); 3] =
    [("fsync,fdatasync", "EIO"), ("pwrite64", "EIO"), ("pwrite64,ftruncate", "ENOSPC")];

#[test]
fn a_server_whose_disk_fails_stops_with_a_sentence_and_loses_nothing() {
    if !has_strace() {
        return;
    }
    let fixture = Fixture::new(2);
    let data = fixture.path("new");
    for (calls, error) in REFUSALS {
        for when in ["1", "2", "3", "7", "12", "20", "33", "5+", "15+"] {
            copy(&fixture.data(), &data);
            let mut told = Told { jobs: fixture.jobs.clone(), ..Told::default() };
            let fault = Fault::error(calls, error, when);
            if let Some(mut server) = Server::start(&data, Some(&fault)) {
                told.work(&server.client(), 30, 4);
                if told.artifacts.len() < 4 {
                    // A caller was refused: the server goes on, or is about to end by itself with a sentence.
                    let (status, log) = server.end();
                    if !status.success() {
                        let said = log.concat();
                        let why =
                            if error == "EIO" { "Input/output error" } else { "No space left" };
                        assert!(said.contains(why), "{fault:?}: {said}");
                        assert!(!said.contains("panicked"), "{fault:?}: {said}");
                        assert!(status.code().is_some_and(|code| code > 0), "{fault:?}: {status}");
                    }
                }
            }
            told.is_kept(&data);
        }
    }
}

#[test]
fn a_backup_that_cannot_be_written_leaves_nothing() {
    if !has_strace() {
        return;
    }
    let fixture = Fixture::new(8);
    let (target, partial) = (fixture.path("b.tar"), fixture.path("b.tar.partial"));
    let data = fixture.data();
    let args = ["backup", text(&target), "--data-dir", text(&data)];
    for (call, error, code, says) in [
        ("write", "ENOSPC", 7, "No space left"),
        ("write", "EIO", 1, "Input/output error"),
        ("fsync", "EIO", 1, "Input/output error"),
        ("fsync", "ENOSPC", 7, "No space left"),
    ] {
        for when in ["1", "2", "5"] {
            let fault = Fault::error(call, error, when).on(&partial);
            let output = run(&args, Some(&fault));
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            if output.status.success() {
                // A small backup is written in few calls.
                assert!(when != "1", "{fault:?}: {said}");
                fs::remove_file(&target).unwrap();
                continue;
            }
            assert_eq!(output.status.code(), Some(code), "{fault:?}: {said}");
            assert!(said.contains(says) && said.contains(text(&target)), "{fault:?}: {said}");
            assert!(fixture.names("b.tar").is_empty(), "{fault:?}");
        }
    }
    is_sound(&data);
}

#[test]
fn a_restore_that_cannot_be_written_changes_nothing() {
    if !has_strace() {
        return;
    }
    let fixture = Fixture::new(8);
    let backup = fixture.backup("b.tar");
    let data = fixture.path("new");
    let old = Fixture::new(3);
    copy(&old.data(), &data);
    let args = ["restore", text(&backup), "--replace", "--data-dir", text(&data)];
    let mut refused = 0;
    for (calls, error, code) in [
        ("pwrite64,ftruncate", "ENOSPC", 7),
        ("pwrite64", "EIO", 1),
        ("fsync", "EIO", 1),
        ("fdatasync", "EIO", 1),
        ("mkdir", "ENOSPC", 7),
        ("renameat2", "EIO", 1),
    ] {
        for when in ["1", "2", "4+", "9+"] {
            let fault = Fault::error(calls, error, when);
            let output = run(&args, Some(&fault));
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let aside = fixture.names("new.before-restore");
            assert!(fixture.names("new.partial").is_empty(), "{fault:?}: {said}");
            if output.status.success() || !aside.is_empty() {
                // The fault came too late to matter, or after the last step.
                for name in aside {
                    fs::remove_dir_all(fixture.path(&name)).unwrap();
                }
                copy(&old.data(), &data);
                continue;
            }
            refused += 1;
            assert_eq!(output.status.code(), Some(code), "{fault:?}: {said}");
            assert!(!said.contains("panicked"), "{fault:?}: {said}");
            let told = Told { jobs: old.jobs.clone(), ..Told::default() };
            told.is_kept(&data);
        }
    }
    assert!(refused >= 8, "only {refused} faults mattered");
}
