//! Hostile backups: names that lead elsewhere, kinds of entries, sizes that lie, versions of the future.

use std::fmt::Write;
use std::fs;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

use super::{Filled, entries, names, text};
use crate::binary::cli::Cli;

/// An archive of any entries, with the sums that belong to it.
struct Forged(Vec<u8>, String);

impl Forged {
    fn new() -> Self {
        Self(Vec::new(), String::new())
    }

    fn raw(&mut self, name: &str, kind: EntryType, claimed: u64, bytes: &[u8]) {
        let mut header = Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(claimed);
        header.set_mode(0o600);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
    }

    fn add(&mut self, name: &str, bytes: &[u8]) {
        self.raw(name, EntryType::Regular, bytes.len() as u64, bytes);
        for byte in Sha256::digest(bytes) {
            write!(self.1, "{byte:02x}").unwrap();
        }
        writeln!(self.1, "  {name}").unwrap();
    }

    fn finish(mut self) -> Vec<u8> {
        let sums = std::mem::take(&mut self.1);
        self.raw("SHA256SUMS", EntryType::Regular, sums.len() as u64, sums.as_bytes());
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

/// A backup like that of `filled`, after `change` had its way with each entry.
fn forged(filled: &Filled, change: impl Fn(&str, Vec<u8>) -> (String, Vec<u8>)) -> Vec<u8> {
    let mut forged = Forged::new();
    for (name, bytes) in entries(&filled.backup()) {
        if name != "SHA256SUMS" {
            let (name, bytes) = change(&name, bytes);
            forged.add(&name, &bytes);
        }
    }
    forged.finish()
}

/// Tries to restore these bytes, which must end with `code` and leave nothing.
#[track_caller]
fn refused(code: i32, bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let (file, data) = (dir.path().join("b.tar"), dir.path().join("a/data"));
    fs::create_dir(dir.path().join("a")).unwrap();
    fs::write(&file, bytes).unwrap();
    Cli(&data).fails(code, &["verify", text(&file)]);
    let said = Cli(&data).fails(code, &["restore", text(&file)]);
    assert_eq!(names(dir.path()), ["a", "b.tar"]);
    assert!(names(&dir.path().join("a")).is_empty());
    said
}

fn manifest(bytes: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value = serde_json::from_slice(bytes).unwrap();
    change(&mut value);
    value.to_string().into_bytes()
}

#[test]
fn a_forged_backup_that_is_like_a_real_one_is_taken() {
    let filled = Filled::new();
    let bytes = forged(&filled, |name, bytes| (name.to_owned(), bytes));
    let file = filled.path("forged.tar");
    fs::write(&file, bytes).unwrap();
    Cli(filled.dir.path()).ok(&["verify", text(&file)]);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let filled = Filled::new();
    for evil in
        ["../evil", "/tmp/evil", "keys/../../evil", "blobs/aa/../../evil", "./manifest.json"]
    {
        for place in ["manifest.json", "keys/jwt.key", "blobs/", "rows/job-1"] {
            let bytes = forged(&filled, |name, bytes| {
                let hit = name.starts_with(place) && (place != "rows/job-1" || name == place);
                (if hit { evil.to_owned() } else { name.to_owned() }, bytes)
            });
            let said = refused(5, &bytes);
            assert!(said.contains("the backup is damaged"), "{said}");
        }
    }
}

#[test]
fn keys_with_other_names_are_refused() {
    let filled = Filled::new();
    for evil in ["../../evil.key", ".key", "jwt.key\0", "JWT.KEY", "sub/jwt.key"] {
        let bytes = forged(&filled, |name, bytes| match name {
            "manifest.json" => {
                let bytes = manifest(&bytes, |value| value["keys"] = serde_json::json!([evil]));
                (name.to_owned(), bytes)
            }
            "keys/jwt.key" => (format!("keys/{}", evil.trim_end_matches('\0')), bytes),
            _ => (name.to_owned(), bytes),
        });
        refused(5, &bytes);
    }
}

#[test]
fn links_devices_and_directories_are_refused() {
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Directory,
        EntryType::Char,
        EntryType::Fifo,
        EntryType::GNULongName,
        EntryType::XHeader,
        EntryType::GNUSparse,
    ] {
        let mut forged = Forged::new();
        forged.raw("manifest.json", kind, 0, b"");
        refused(5, &forged.finish());
    }
}

#[test]
fn sizes_that_lie_are_refused_before_they_cost_anything() {
    for claimed in [u64::MAX, 1 << 40, (1 << 20) + 1] {
        let mut forged = Forged::new();
        forged.raw("manifest.json", EntryType::Regular, claimed, b"{}");
        refused(5, &forged.finish());
    }
    let filled = Filled::new();
    for length in [u32::MAX, 1 << 31, 1 << 16] {
        let bytes = forged(&filled, |name, mut bytes| {
            if name == "rows/job-1" {
                bytes[..4].copy_from_slice(&length.to_be_bytes());
            }
            (name.to_owned(), bytes)
        });
        refused(5, &bytes);
    }
}

#[test]
fn a_restore_that_cannot_fit_ends_with_7() {
    let filled = Filled::new();
    let bytes = forged(&filled, |name, bytes| {
        let huge = |value: &mut Value| value["files"]["bytes"] = (1_u64 << 62).into();
        let bytes = if name == "manifest.json" { manifest(&bytes, huge) } else { bytes };
        (name.to_owned(), bytes)
    });
    let dir = tempfile::tempdir().unwrap();
    let (file, data) = (dir.path().join("b.tar"), dir.path().join("data"));
    fs::write(&file, bytes).unwrap();
    let said = Cli(&data).fails(7, &["restore", text(&file)]);
    assert!(said.contains("bytes are needed"), "{said}");
    assert_eq!(names(dir.path()), ["b.tar"]);
}

#[test]
fn a_backup_of_a_newer_program_is_refused_with_both_versions_named() {
    let filled = Filled::new();
    for what in ["format", "schema"] {
        let bytes = forged(&filled, |name, bytes| {
            let newer = |value: &mut Value| value[what] = 77.into();
            let bytes = if name == "manifest.json" { manifest(&bytes, newer) } else { bytes };
            (name.to_owned(), bytes)
        });
        let said = refused(6, &bytes);
        assert!(said.contains(&format!("{what} version 77")) && said.contains("up to"), "{said}");
    }
}

#[test]
fn rows_that_do_not_fit_together_are_not_restored() {
    let filled = Filled::new();
    // The jobs are there, and so is everything else, but not one of them waits in its queue.
    let bytes = forged(&filled, |name, bytes| match name {
        "rows/waiting-1" => (name.to_owned(), Vec::new()),
        "manifest.json" => {
            let none = |value: &mut Value| {
                value["rows"]["waiting-1"] = serde_json::json!({ "count": 0, "bytes": 0 });
            };
            (name.to_owned(), manifest(&bytes, none))
        }
        _ => (name.to_owned(), bytes),
    });
    let dir = tempfile::tempdir().unwrap();
    let (file, data) = (dir.path().join("b.tar"), dir.path().join("data"));
    fs::write(&file, bytes).unwrap();
    Cli(&data).ok(&["verify", text(&file)]);
    let said = Cli(&data).fails(5, &["verify", "--drill", text(&file)]);
    assert!(said.contains("waiting-1"), "{said}");
    Cli(&data).fails(5, &["restore", text(&file)]);
    assert_eq!(names(dir.path()), ["b.tar"]);
}
