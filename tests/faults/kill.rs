//! The program is killed at every call that changes something on disk, or at every n-th where there are many.

use std::fs::{self, File};
use std::path::Path;

use testflinger_server::store::backup::verify;

use super::fixture::{Fixture, Told, copy, is_sound};
use super::tools::{Fault, Server, has_strace, ok, ok_fed, run, text, was_killed};

/// The system calls that create, change, order or remove something on disk.
const CALLS: [&str; 13] = [
    "openat",
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "ftruncate",
    "rename",
    "renameat2",
    "unlink",
    "unlinkat",
    "mkdir",
    "chmod",
    "chown",
];

/// Runs `at` with a kill at each point of each call, until it gets through without one. `at` says whether it was
/// killed.
fn at_every_point(what: &str, step: usize, mut at: impl FnMut(&Fault) -> bool) {
    let mut points = 0;
    for call in CALLS {
        let mut when = 1;
        while at(&Fault::kill(call, when)) {
            points += 1;
            when += step;
        }
    }
    eprintln!("{what}: killed at {points} points");
    assert!(points >= 20, "only {points} points: strace did not see what it should");
}

#[test]
fn a_backup_that_is_killed_leaves_the_old_one_or_the_new_one() {
    if !has_strace() {
        return;
    }
    let fixture = Fixture::new(8);
    let data = fixture.data();
    let target = fixture.backup("b.tar");
    let args = ["backup", text(&target), "--force", "--data-dir", text(&data)];
    let old = fs::read(&target).unwrap();
    at_every_point("backup", 1, |fault| {
        fs::write(&target, &old).unwrap();
        let killed = was_killed(run(&args, Some(fault)).status);
        verify(File::open(&target).unwrap(), &mut |_, _| {}).unwrap();
        if killed {
            ok(&args);
            verify(File::open(&target).unwrap(), &mut |_, _| {}).unwrap();
        }
        assert_eq!(fixture.names("b.tar"), ["b.tar"], "{fault:?}");
        is_sound(&data);
        killed
    });
}

#[test]
fn a_restore_that_is_killed_leaves_nothing_or_everything() {
    if !has_strace() {
        return;
    }
    let fixture = Fixture::new(8);
    let backup = fixture.backup("b.tar");
    let data = fixture.path("new");
    let args = ["restore", text(&backup), "--data-dir", text(&data)];
    at_every_point("restore", 1, |fault| {
        let _ = fs::remove_dir_all(&data);
        let killed = was_killed(run(&args, Some(fault)).status);
        if !data.exists() {
            ok(&args);
        }
        holds(&data, &fixture.jobs);
        assert_eq!(fixture.names("new"), ["new"], "{fault:?}");
        killed
    });
}

#[test]
fn a_restore_over_old_data_that_is_killed_leaves_either_whole_and_loses_neither() {
    if !has_strace() {
        return;
    }
    let (fixture, other) = (Fixture::new(8), Fixture::new(3));
    let backup = fixture.backup("b.tar");
    let data = fixture.path("new");
    let args = ["restore", text(&backup), "--replace", "--data-dir", text(&data)];
    at_every_point("restore --replace", 1, |fault| {
        for name in fixture.names("new") {
            fs::remove_dir_all(fixture.path(&name)).unwrap();
        }
        copy(&other.data(), &data);
        let killed = was_killed(run(&args, Some(fault)).status);
        let restored = jobs(&data) == fixture.jobs;
        assert!(restored || jobs(&data) == other.jobs, "{fault:?}");
        // The data that was there before is still there, in its place or aside.
        let aside = fixture.names("new.before-restore");
        let old = aside.iter().map(|name| fixture.path(name)).find(|dir| jobs(dir) == other.jobs);
        assert!(!restored || old.is_some(), "{fault:?}: {aside:?}");
        if killed && !restored {
            // Otherwise names of the last attempt would be the same as those of this one.
            std::thread::sleep(std::time::Duration::from_millis(
                1100 * u64::from(!aside.is_empty()),
            ));
            ok(&args);
        }
        holds(&data, &fixture.jobs);
        assert!(fixture.names("new.partial").is_empty(), "{fault:?}");
        killed
    });
}

#[test]
fn a_first_start_that_is_killed_can_be_repeated() {
    if !has_strace() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let args = ["client-admin", "create", "x", "--generate", "--init", "--data-dir", text(&data)];
    at_every_point("first start", 1, |fault| {
        let _ = fs::remove_dir_all(&data);
        let killed = was_killed(run(&args, Some(fault)).status);
        let again = run(&args, None);
        // It may have been created although nobody was told.
        let there = again.status.code() == Some(3);
        let said = String::from_utf8_lossy(&again.stderr);
        assert!(there || again.status.success(), "{fault:?}: {said}");
        Server::on(&data).stop();
        is_sound(&data);
        killed
    });
}

#[test]
fn a_replacement_of_the_secrets_key_that_is_killed_loses_no_secret() {
    if !has_strace() {
        return;
    }
    let fixture = Fixture::new(1);
    let data = fixture.path("new");
    for path in ["a", "b/c", "d"] {
        let first = fixture.data();
        ok_fed(&["secret-admin", "put", "keeper", path, "--data-dir", text(&first)], "hunter22");
    }
    let args = ["rotate-secrets-key", "--data-dir", text(&data)];
    at_every_point("rotate-secrets-key", 1, |fault| {
        copy(&fixture.data(), &data);
        let killed = was_killed(run(&args, Some(fault)).status);
        // This ends what was interrupted; the next one seals everything anew, and fails if it cannot open something.
        ok(&args);
        let said = ok(&args);
        assert!(said.starts_with("3 values"), "{fault:?}: {said}");
        is_sound(&data);
        killed
    });
}

/// Kills a server while it works; everything that it acknowledged must be there.
fn server_at_every_point(what: &str, step: usize, jobs: usize, artifacts: usize) {
    let fixture = Fixture::new(2);
    let data = fixture.path("new");
    at_every_point(what, step, |fault| {
        copy(&fixture.data(), &data);
        let mut told = Told { jobs: fixture.jobs.clone(), ..Told::default() };
        let killed = match Server::start(&data, Some(fault)) {
            None => true,
            Some(mut server) => {
                told.work(&server.client(), jobs, artifacts);
                let all = told.jobs.len() == fixture.jobs.len() + jobs;
                let lived = all && told.artifacts.len() == artifacts;
                // One that lived until now may be killed while it ends.
                let status = if lived { server.end().0 } else { server.wait().0 };
                let killed = was_killed(status);
                assert!(killed || lived && status.success(), "{fault:?}: it refused something");
                killed
            }
        };
        told.is_kept(&data);
        killed
    });
}

#[test]
fn a_server_that_is_killed_has_every_job_that_it_acknowledged() {
    if has_strace() {
        server_at_every_point("submit", 5, 30, 0);
    }
}

#[test]
fn a_server_that_is_killed_has_every_artifact_that_it_acknowledged() {
    if has_strace() {
        server_at_every_point("upload", 3, 0, 10);
    }
}

/// The jobs of a data directory.
fn jobs(data: &Path) -> Vec<String> {
    let server = Server::on(data);
    let listed = server.client().listed("q");
    server.stop();
    listed
}

#[track_caller]
fn holds(data: &Path, expected: &[String]) {
    let told =
        Told { jobs: expected.to_vec(), artifacts: expected.iter().step_by(2).cloned().collect() };
    told.is_kept(data);
}
