//! `backup DIR --keep N`

use std::fs;

use super::{Filled, names, text};
use crate::binary::cli::Cli;

const OLD: [&str; 3] = [
    "testflinger-20250101T000000Z.tar",
    "testflinger-20250102T000000Z.tar",
    "testflinger-20250103T000000Z.tar",
];

fn folder(filled: &Filled) -> std::path::PathBuf {
    let folder = filled.path("backups");
    fs::create_dir(&folder).unwrap();
    let backup = filled.backup();
    for name in OLD {
        fs::copy(&backup, folder.join(name)).unwrap();
    }
    for name in ["precious.tar", "testflinger-x.tar"] {
        fs::write(folder.join(name), "old").unwrap();
    }
    folder
}

#[test]
fn only_the_newest_backups_are_kept_and_nothing_else_is_touched() {
    let filled = Filled::new();
    let folder = folder(&filled);
    Cli(&filled.data()).ok(&["backup", text(&folder), "--keep", "2"]);
    let left = names(&folder);
    assert_eq!(left.len(), 4, "{left:?}");
    assert_eq!(
        (&left[0][..], &left[1][..], &left[3][..]),
        ("precious.tar", OLD[2], "testflinger-x.tar")
    );
    Cli(&filled.data()).ok(&["verify", text(&folder.join(&left[2]))]);
}

#[test]
fn backups_of_another_server_and_files_that_are_none_stay() {
    let (filled, other) = (Filled::new(), Filled::new());
    let folder = folder(&filled);
    let theirs = "testflinger-20240101T000000Z.tar";
    fs::copy(other.backup(), folder.join(theirs)).unwrap();
    let unreadable = "testflinger-20240102T000000Z.tar";
    fs::write(folder.join(unreadable), "something").unwrap();
    Cli(&filled.data()).ok(&["backup", text(&folder), "--keep", "1"]);
    let left = names(&folder);
    assert_eq!(left.len(), 5, "{left:?}");
    assert!([theirs, unreadable].iter().all(|name| left.contains(&(*name).to_owned())), "{left:?}");
}

#[test]
fn a_backup_that_fails_removes_none() {
    let filled = Filled::new();
    let folder = folder(&filled);
    fs::write(filled.blob(), "other bytes").unwrap();
    Cli(&filled.data()).fails(5, &["backup", text(&folder), "--keep", "1"]);
    assert_eq!(names(&folder).len(), 5);
}

#[test]
fn keep_needs_a_directory_and_keeps_at_least_one() {
    let filled = Filled::new();
    Cli(&filled.data()).fails(2, &["backup", text(&filled.path("b.tar")), "--keep", "1"]);
    Cli(&filled.data()).fails(2, &["backup", text(filled.dir.path()), "--keep", "0"]);
}
