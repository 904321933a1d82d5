//! `restore`

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use testflinger_server::domain::Timestamp;
use testflinger_server::store::backup::{Target, restore};

use super::{Filled, names, text};
use crate::binary::cli::Cli;
use crate::support::auth::SECRET;
use crate::support::{Program, run_with_input};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Every file and directory below `dir`, itself included.
fn tree(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found = vec![dir.to_owned()];
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(tree(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_restored_server_has_everything_and_its_tokens_still_count() {
    let filled = Filled::new();
    let backup = filled.backup();
    let data = filled.path("new");
    let said = Cli(&data).ok(&["restore", text(&backup)]);
    assert!(said.contains(text(&data)) && said.contains("checked"), "{said}");
    for path in tree(&data) {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), expected, "{}", path.display());
    }
    assert_eq!(names(&data), ["blobs", "keys", "testflinger.redb"]);
    let program = Program::serve(&data);
    assert_eq!(program.log_in("keeper", SECRET).status, 200);
    let form = serde_json::json!({ "refresh_token": filled.refresh_token });
    assert_eq!(program.anonymous().post("/v1/oauth2/refresh", &form).status, 200);
    let manager = program.anonymous().header("Authorization", &filled.access_token);
    let restricted = manager.get("/v1/restricted-queues/private").value();
    assert_eq!(restricted["owners"], serde_json::json!(["keeper"]), "{restricted}");
    drop(program.stop());
    filled.serves_all(&data);
}

#[test]
fn a_backup_of_a_restored_server_is_the_backup_that_it_came_from() {
    let filled = Filled::new();
    let first = filled.backup();
    let data = filled.path("new");
    Cli(&data).ok(&["restore", text(&first)]);
    let second = filled.path("second.tar");
    Cli(&data).ok(&["backup", text(&second)]);
    assert_eq!(super::content(&second), super::content(&first));
}

#[test]
fn a_new_signing_key_ends_all_tokens() {
    let filled = Filled::new();
    let data = filled.path("new");
    Cli(&data).ok(&["restore", text(&filled.backup()), "--new-signing-key"]);
    let program = Program::serve(&data);
    let manager = program.anonymous().header("Authorization", &filled.access_token);
    assert_eq!(manager.get("/v1/restricted-queues/private").status, 403);
    assert_eq!(program.log_in("keeper", SECRET).status, 200);
}

#[test]
fn data_that_is_there_is_put_aside_only_on_purpose() {
    let filled = Filled::new();
    let backup = filled.backup();
    let data = filled.data();
    fs::write(data.join("precious"), "old").unwrap();
    let said = Cli(&data).fails(3, &["restore", text(&backup)]);
    assert!(said.contains("--replace"), "{said}");
    let said = Cli(&data).ok(&["restore", text(&backup), "--replace"]);
    let left = names(filled.dir.path());
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(left[2].starts_with("data.before-restore-2") && said.contains(&left[2]), "{said}");
    assert_eq!(fs::read(filled.path(&left[2]).join("precious")).unwrap(), b"old");
    assert_eq!(names(&data), ["blobs", "keys", "testflinger.redb"]);
    filled.serves_all(&data);
    filled.serves_all(&filled.path(&left[2]));
}

#[test]
fn an_empty_directory_is_filled_and_a_link_to_it_stays_one() {
    let filled = Filled::new();
    let (real, link) = (filled.path("real"), filled.path("link"));
    fs::create_dir(&real).unwrap();
    symlink(&real, &link).unwrap();
    Cli(&link).ok(&["restore", text(&filled.backup())]);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    Cli(&link).ok(&["restore", text(&filled.path("backup.tar")), "--replace"]);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    filled.serves_all(&link);
}

#[test]
fn a_running_server_is_left_alone() {
    let filled = Filled::new();
    let backup = filled.backup();
    let program = Program::serve(&filled.data());
    for more in [&[][..], &["--replace"], &["--replace", "--dry-run"]] {
        let args = [&["restore", text(&backup)], more].concat();
        let said = Cli(&filled.data()).fails(4, &args);
        assert!(said.contains("in use by another server"), "{said}");
    }
    assert_eq!(program.anonymous().get("/v1/queues/q/jobs").status, 200);
    assert_eq!(names(filled.dir.path()), ["backup.tar", "data"]);
}

#[test]
fn of_a_directory_the_newest_backup_is_named_and_none_is_restored() {
    let filled = Filled::new();
    let (folder, data) = (filled.path("backups"), filled.path("new"));
    std::fs::create_dir(&folder).unwrap();
    let said = Cli(&filled.data()).fails(1, &["backup", text(&folder.join("none/a.tar"))]);
    assert!(said.contains("none does not exist"), "{said}");
    Cli(&filled.data()).ok(&["backup", text(&folder)]);
    let said = Cli(&data).fails(2, &["restore", text(&folder)]);
    assert!(said.contains(&names(&folder)[0]), "{said}");
    assert!(!data.exists());
}

#[test]
fn a_dry_run_changes_nothing() {
    let filled = Filled::new();
    let backup = filled.backup();
    let said = Cli(&filled.data()).ok(&["restore", text(&backup), "--replace", "--dry-run"]);
    assert!(said.contains("would get"), "{said}");
    let new = filled.path("new");
    Cli(&new).ok(&["restore", text(&backup), "--dry-run"]);
    assert_eq!(names(filled.dir.path()), ["backup.tar", "data"]);
    filled.serves_all(&filled.data());
}

#[test]
fn a_restore_reads_standard_input() {
    let filled = Filled::new();
    let data = filled.path("new");
    let piped = format!(
        "{bin} backup - --data-dir {from} | {bin} restore - --data-dir {to}",
        bin = crate::support::program().get_program().to_str().unwrap(),
        from = text(&filled.data()),
        to = text(&data),
    );
    assert!(std::process::Command::new("sh").args(["-c", &piped]).status().unwrap().success());
    filled.serves_all(&data);
    let none = filled.path("none");
    let args = ["restore", "-", "--data-dir", text(&none)];
    assert_eq!(run_with_input(&args, "no backup").status.code(), Some(5));
}

#[test]
fn what_an_interrupted_restore_left_is_replaced_and_nothing_else() {
    let filled = Filled::new();
    let backup = filled.backup();
    let (data, partial) = (filled.path("new"), filled.path("new.partial"));
    fs::create_dir_all(partial.join("blobs/aa")).unwrap();
    fs::write(partial.join("blobs/aa/half"), "half").unwrap();
    let said = Cli(&data).fails(3, &["restore", text(&backup)]);
    assert!(said.contains(text(&partial)) && said.contains("move it away"), "{said}");
    assert!(partial.join("blobs/aa/half").exists());
    fs::write(partial.join("RESTORING"), "").unwrap();
    {
        let other = fs::File::open(partial.join("RESTORING")).unwrap();
        other.lock().unwrap();
        Cli(&data).fails(4, &["restore", text(&backup)]);
    }
    Cli(&data).ok(&["restore", text(&backup)]);
    assert!(!partial.exists());
    filled.serves_all(&data);
}

#[test]
fn a_restore_that_ended_right_before_its_end_is_complete() {
    let filled = Filled::new();
    let data = filled.path("new");
    Cli(&data).ok(&["restore", text(&filled.backup())]);
    fs::write(data.join("RESTORING"), "").unwrap();
    filled.serves_all(&data);
    assert_eq!(names(&data), ["blobs", "keys", "testflinger.journal", "testflinger.redb"]);
}

#[test]
fn an_empty_directory_of_an_interrupted_restore_is_used() {
    let filled = Filled::new();
    fs::create_dir(filled.path("new.partial")).unwrap();
    Cli(&filled.path("new")).ok(&["restore", text(&filled.backup())]);
    assert!(!filled.path("new.partial").exists());
}

#[test]
fn a_mount_point_is_refused_before_anything_is_written() {
    let filled = Filled::new();
    let backup = filled.backup();
    // Always one, and nobody needs to be root for it.
    let said = Cli(Path::new("/proc")).fails(1, &["restore", text(&backup), "--replace"]);
    assert!(said.contains("/proc is a mount point") && said.contains("/proc/data"), "{said}");
}

#[test]
fn restored_files_belong_to_the_owner_of_the_directory() {
    const OTHER: u32 = 54_321;
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIP SKIP SKIP: only root can give files away");
        return;
    }
    let filled = Filled::new();
    let backup = filled.backup();
    let data = filled.path("state");
    fs::create_dir(&data).unwrap();
    chown(&data, Some(OTHER), Some(OTHER)).unwrap();
    for more in [&[][..], &["--replace"]] {
        Cli(&data).ok(&[&["restore", text(&backup)], more].concat());
        for path in tree(&data) {
            let found = fs::metadata(&path).unwrap();
            assert_eq!((found.uid(), found.gid()), (OTHER, OTHER), "{}", path.display());
        }
    }
}

#[test]
fn three_restores_in_one_second_keep_all_that_was_there() {
    let filled = Filled::new();
    let backup = filled.backup();
    let again = || {
        let target = Target {
            dir: filled.data(),
            replace: true,
            dry_run: false,
            new_signing_key: false,
            now: Timestamp::from_micros(0),
        };
        let source = fs::File::open(&backup).unwrap();
        restore(source, &target, &mut |_, _| {}).unwrap().put_aside.unwrap()
    };
    let aside: Vec<_> = (0..3).map(|_| again()).collect();
    assert!(aside.iter().all(|dir| dir.join("testflinger.redb").exists()), "{aside:?}");
    filled.serves_all(&filled.data());
}
