//! `verify`: whatever is not exactly what was written is refused.

use std::fs;

use proptest::prelude::*;
use testflinger_server::store::backup::{Error, verify};

use super::{Filled, names, text};
use crate::binary::cli::Cli;
use crate::support::{run, run_with_input};

fn refused(bytes: &[u8]) -> bool {
    matches!(verify(bytes, &mut |_, _| {}), Err(Error::Bad(_)))
}

/// Takes a backup apart into its entries: name and blocks.
fn blocks(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let (mut at, mut found) = (0, Vec::new());
    while bytes[at] != 0 {
        let header = tar::Header::from_byte_slice(&bytes[at..at + 512]);
        let size = usize::try_from(header.entry_size().unwrap()).unwrap().next_multiple_of(512);
        let name = header.path().unwrap().to_str().unwrap().to_owned();
        found.push((name, bytes[at..at + 512 + size].to_vec()));
        at += 512 + size;
    }
    found
}

fn join(blocks: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut bytes: Vec<u8> = blocks.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

#[test]
fn a_whole_backup_is_described() {
    let filled = Filled::new();
    let backup = filled.backup();
    let said = Cli(filled.dir.path()).ok(&["verify", text(&backup)]);
    assert!(
        said.contains("complete and undamaged") && said.contains("4 jobs, 1 clients"),
        "{said}"
    );
    let json = Cli(filled.dir.path()).ok(&["verify", "--json", text(&backup)]);
    let manifest: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(manifest["rows"]["job-1"]["count"], 4);
}

#[test]
fn a_drill_restores_checks_and_leaves_nothing() {
    let filled = Filled::new();
    let backup = filled.backup();
    let data = filled.data();
    Cli(&data).ok(&["verify", "--drill", text(&backup)]);
    let said = run(&["verify", "--drill", text(&backup)], &[]);
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("was restored and checked"), "{said}");
    assert_eq!(names(filled.dir.path()), ["backup.tar", "data"]);
}

#[test]
fn the_program_says_what_is_wrong_and_ends_with_5() {
    let filled = Filled::new();
    let backup = filled.backup();
    let bytes = fs::read(&backup).unwrap();
    fs::write(&backup, &bytes[..bytes.len() - 1]).unwrap();
    for drill in [&["verify"][..], &["verify", "--drill"]] {
        let said = Cli(filled.dir.path()).fails(5, &[drill, &[text(&backup)]].concat());
        assert!(said.contains("it is not complete"), "{said}");
    }
    assert_eq!(names(filled.dir.path()), ["backup.tar", "data"]);
    let said = Cli(filled.dir.path()).fails(1, &["verify", "/no/such/file"]);
    assert!(said.contains("/no/such/file"), "{said}");
    assert_eq!(run_with_input(&["verify", "-"], "no backup").status.code(), Some(5));
}

#[test]
fn no_flipped_bit_and_no_missing_end_goes_unseen() {
    let filled = Filled::new();
    let bytes = fs::read(filled.backup()).unwrap();
    verify(&bytes[..], &mut |_, _| {}).unwrap();
    let config =
        ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(at in 0..bytes.len(), bit in 0..8, small in 0..20_000_usize)| {
        // Half of them where most of the structure is: the artifact fills most of the file.
        for at in [at, small] {
            let mut bad = bytes.clone();
            bad[at] ^= 1_u8 << bit;
            prop_assert!(verify(&bad[..], &mut |_, _| {}).is_err(), "byte {at}, bit {bit}");
            prop_assert!(refused(&bytes[..at]), "cut at {at}");
        }
    });
    assert!(refused(&[&bytes[..], &[0]].concat()));
}

#[test]
fn entries_that_are_missing_moved_repeated_or_foreign_are_refused() {
    let filled = Filled::new();
    let bytes = fs::read(filled.backup()).unwrap();
    let whole = blocks(&bytes);
    assert_eq!(join(&whole), bytes);
    for at in 0..whole.len() {
        let mut less = whole.clone();
        let taken = less.remove(at);
        assert!(refused(&join(&less)), "without {}", taken.0);
        let mut twice = whole.clone();
        twice.insert(at, taken);
        assert!(refused(&join(&twice)), "{} twice", whole[at].0);
        if at > 0 {
            let mut moved = whole.clone();
            moved.swap(at - 1, at);
            assert!(refused(&join(&moved)), "{} moved", whole[at].0);
        }
        let mut foreign = whole.clone();
        let mut header = tar::Header::new_gnu();
        header.set_path("harmless").unwrap();
        header.set_size(0);
        header.set_mode(0o600);
        header.set_cksum();
        foreign.insert(at, (String::new(), header.as_bytes().to_vec()));
        assert!(refused(&join(&foreign)), "something foreign before {}", whole[at].0);
    }
}

#[test]
fn a_directory_without_backups_is_said_to_have_none() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["verify", text(folder.path())], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no backup in"));
}
