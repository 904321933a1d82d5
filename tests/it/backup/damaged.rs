//! A server does not start on a damaged database, and says what to do.

use std::fs;

use super::{Filled, text};
use crate::binary::cli::Cli;

const DATABASE: &str = "testflinger.redb";

/// Starts on a database that `damage` was done to: the program must refuse, say how to go on, and leave it alone.
#[track_caller]
fn refused(what: &str, damage: impl FnOnce(&mut Vec<u8>)) {
    let filled = Filled::new();
    let backup = filled.backup();
    let path = filled.data().join(DATABASE);
    let mut bytes = fs::read(&path).unwrap();
    damage(&mut bytes);
    fs::write(&path, &bytes).unwrap();
    let data = filled.data();
    let said = Cli(&data).fails(5, &["serve", "--listen", "127.0.0.1:0"]);
    let help = format!("testflinger-server restore BACKUP --replace --data-dir {}", text(&data));
    assert!(said.contains(&help), "{what}: {said}");
    assert!(!said.contains("listening"), "{what}: {said}");
    Cli(&data).fails(5, &["check"]);
    Cli(&data).fails(5, &["client-admin", "list"]);
    // What the sentence says works.
    Cli(&data).ok(&["restore", text(&backup), "--replace"]);
    filled.serves_all(&data);
}

#[test]
fn an_empty_file_is_no_database() {
    refused("empty", Vec::clear);
}

#[test]
fn a_file_of_zeros_is_no_database() {
    refused("zeros", |bytes| bytes.fill(0));
}

#[test]
fn a_database_that_was_cut_off_is_damaged() {
    refused("cut", |bytes| bytes.truncate(bytes.len() / 2));
}

#[test]
fn a_database_with_an_overwritten_head_is_damaged() {
    refused("head", |bytes| bytes[..4096].fill(0xaa));
}

#[test]
fn a_database_with_overwritten_pages_is_damaged() {
    refused("pages", |bytes| bytes[4096..].fill(0x55));
}
