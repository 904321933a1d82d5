//! `check`: every index row against its record and every file against its row, both ways.

use std::fs;

use super::{Filled, names, text};
use crate::binary::cli::Cli;
use crate::support::Program;
use crate::support::rows::{remove_first, tamper};

/// What a check without and one with repair say of damage that can be repaired; both say it in words of `names`.
#[track_caller]
fn found_and_repaired(filled: &Filled, names: &[&str]) -> String {
    let data = filled.data();
    let found = Cli(&data).run(&["check"]);
    assert_eq!(found.status.code(), Some(5));
    let said = String::from_utf8_lossy(&found.stdout).into_owned();
    for name in names {
        assert!(said.contains(name), "{name} is not in: {said}");
    }
    assert!(!said.contains("nothing is wrong"), "{said}");
    assert!(String::from_utf8_lossy(&found.stderr).contains("--repair"));
    let repaired = Cli(&data).ok(&["check", "--repair"]);
    assert!(!repaired.contains("problem"), "{repaired}");
    assert!(!Cli(&data).ok(&["check"]).contains("repaired"));
    repaired
}

#[test]
fn data_that_is_sound_has_no_problems() {
    let filled = Filled::new();
    let said = Cli(&filled.data()).ok(&["check"]);
    assert!(said.contains("1 file (") && said.ends_with("nothing is wrong\n"), "{said}");
    let report: serde_json::Value =
        serde_json::from_str(&Cli(&filled.data()).ok(&["check", "--json", "--repair"])).unwrap();
    assert_eq!(report["problems"], serde_json::json!([]));
    assert_eq!(report["repaired"], serde_json::json!([]));
    assert_eq!(report["bytes"], filled.artifact.len());
}

#[test]
fn a_lost_row_of_any_index_is_found_and_built_anew() {
    for table in [
        "job-by-seq-1",
        "job-by-queue-1",
        "job-by-tag-1",
        "job-by-client-1",
        "job-by-state-1",
        "waiting-1",
        "agent-by-seq-1",
        "agent-by-queue-1",
        "owner-1",
        "refresh-by-client-1",
        "expiry-1",
    ] {
        let filled = Filled::new();
        remove_first(&filled.data(), table);
        found_and_repaired(&filled, &[table]);
        filled.serves_all(&filled.data());
    }
}

#[test]
fn an_index_row_of_nothing_is_found_and_removed() {
    for table in ["job-by-queue-1", "waiting-1", "held-1", "queue-until-1", "agent-by-queue-1"] {
        let filled = Filled::new();
        tamper(&filled.data(), table, |rows, _, _| {
            rows.put(b"\0\x01q\0\0\0\0\0\0\0\x09", &[9; 17]);
        });
        found_and_repaired(&filled, &[table, "follows from no row"]);
        filled.serves_all(&filled.data());
    }
}

#[test]
fn a_wrong_index_row_is_found_and_corrected() {
    let filled = Filled::new();
    let data = filled.data();
    tamper(&data, "waiting-1", |rows, key, mut value| {
        value[0] ^= 1;
        rows.put(&key, &value);
    });
    found_and_repaired(&filled, &["waiting-1"]);
    filled.serves_all(&data);
}

#[test]
fn a_counter_that_fell_behind_is_found_and_raised() {
    let filled = Filled::new();
    tamper(&filled.data(), "meta-1", |rows, _, _| {
        rows.put(b"seq", &1_u64.to_be_bytes());
    });
    found_and_repaired(&filled, &["the counter stands at 1"]);
    let program = Program::serve(&filled.data());
    let late = program.anonymous().submit(&serde_json::json!({ "job_queue": "q" }));
    for job in filled.jobs.iter().chain([&late]) {
        assert_eq!(program.anonymous().claim("q").as_ref(), Some(job));
    }
}

#[test]
fn a_lost_file_is_found_and_its_row_forgotten() {
    let filled = Filled::new();
    let file = filled.blob();
    fs::remove_file(&file).unwrap();
    let repaired = found_and_repaired(&filled, &[text(&file)]);
    assert!(repaired.contains(text(&file)), "{repaired}");
    Cli(&filled.data()).ok(&["backup", text(&filled.path("b.tar"))]);
}

#[test]
fn a_damaged_file_is_found_and_put_aside() {
    let filled = Filled::new();
    let file = filled.blob();
    let mut bytes = fs::read(&file).unwrap();
    bytes[7] ^= 0x80;
    fs::write(&file, &bytes).unwrap();
    // Its size is right, and that is all that a quick check looks at.
    Cli(&filled.data()).ok(&["check", "--quick"]);
    found_and_repaired(&filled, &[text(&file), "other bytes"]);
    let aside = filled.data().join("damaged");
    let kept = aside.join(&names(&aside)[0]);
    assert_eq!(fs::read(kept).unwrap(), bytes);
    Cli(&filled.data()).ok(&["backup", text(&filled.path("b.tar"))]);
}

#[test]
fn files_of_unfinished_uploads_are_no_problem() {
    let filled = Filled::new();
    let stray = filled.blob().with_extension("partial");
    fs::write(&stray, "half").unwrap();
    let said = Cli(&filled.data()).ok(&["check"]);
    assert!(said.contains("1 file of unfinished uploads"), "{said}");
    assert!(stray.exists());
}

#[test]
fn records_that_cannot_be_read_cannot_be_repaired() {
    for (table, value) in [("job-1", &[1, 9, 9][..]), ("client-1", b""), ("job-body-1", b"{\"a\":")]
    {
        let filled = Filled::new();
        tamper(&filled.data(), table, |rows, key, _| {
            rows.put(&key, value);
        });
        let said = Cli(&filled.data()).fails(5, &["check", "--repair"]);
        assert!(said.contains("restore a backup"), "{said}");
        let said = Cli(&filled.data()).fails(5, &["backup", text(&filled.path("b.tar"))]);
        assert!(said.contains(table), "{said}");
        assert_eq!(names(filled.dir.path()), ["data"]);
    }
}

#[test]
fn jobs_without_bodies_and_bodies_without_jobs_are_found() {
    for (lost, says) in
        [("job-body-1", "job-1: "), ("job-1", "job-body-1: "), ("result-chunk-1", "result-1: ")]
    {
        let filled = Filled::new();
        remove_first(&filled.data(), lost);
        let found = Cli(&filled.data()).run(&["check"]);
        assert_eq!(found.status.code(), Some(5));
        let said = String::from_utf8_lossy(&found.stdout).into_owned();
        assert!(said.contains(says) && said.contains(lost), "{said}");
    }
}

#[test]
fn a_running_server_checks_its_data_itself() {
    let filled = Filled::new();
    let report = |args: &[&str]| {
        let output = Cli(&filled.data()).run(&[&["check", "--json"], args].concat());
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), report)
    };
    let (_, stopped) = report(&[]);
    let program = Program::serve(&filled.data());
    let (code, running) = report(&[]);
    assert_eq!(code, Some(0));
    assert_eq!(running, stopped);
    let file = filled.blob();
    let mut bytes = fs::read(&file).unwrap();
    bytes[7] ^= 0x80;
    fs::write(&file, &bytes).unwrap();
    assert_eq!(report(&["--quick"]).0, Some(0));
    let (code, found) = report(&[]);
    assert_eq!(code, Some(5));
    assert!(found["problems"][0].as_str().unwrap().contains("other bytes"), "{found}");
    drop(program);
}

#[test]
fn a_running_server_is_neither_repaired_nor_compacted() {
    let filled = Filled::new();
    let _program = Program::serve(&filled.data());
    for how in ["--repair", "--compact"] {
        let said = Cli(&filled.data()).fails(4, &["check", how]);
        assert!(said.contains("in use by another server"), "{said}");
    }
}

#[test]
fn a_database_that_holds_little_is_compacted() {
    let filled = Filled::new();
    let data = filled.data();
    tamper(&data, "image-1", |rows, _, _| {
        for n in 0..2000_u32 {
            rows.put(&n.to_be_bytes(), format!("\"{}\"", "x".repeat(4000)).as_bytes());
        }
    });
    tamper(&data, "image-1", |rows, _, _| {
        for n in 0..2000_u32 {
            rows.remove(&n.to_be_bytes());
        }
    });
    let size = || fs::metadata(data.join("testflinger.redb")).unwrap().len();
    let before = size();
    Cli(&data).ok(&["check", "--compact"]);
    assert!(size() < before / 2, "{} instead of {before}", size());
    filled.serves_all(&data);
}

#[test]
fn a_directory_without_data_is_not_checked() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Cli(dir.path()).fails(1, &["check"]).contains("there is no data"));
    assert!(names(dir.path()).is_empty());
}
