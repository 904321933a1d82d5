//! `check --salvage`: what is whole of damaged data becomes new data.

use std::fs;
use std::path::Path;

use super::{Filled, content, text};
use crate::binary::cli::{self, Cli};
use crate::store::journal;
use crate::support::rows::tamper;
use crate::support::{Program, ZERO};

#[test]
fn of_sound_data_nothing_is_lost() {
    let filled = Filled::new();
    let new = filled.path("new");
    let said = Cli(&filled.data()).ok(&["check", "--salvage", text(&new)]);
    assert!(!said.contains("lost"), "{said}");
    let backup = filled.path("new.tar");
    Cli(&new).ok(&["backup", text(&backup)]);
    let rows = |backup: &Path| {
        let mut found = content(backup);
        // A time that a rebuilt index row says is none the worse.
        found.remove("rows/expiry-1");
        found
    };
    assert_eq!(rows(&backup), rows(&filled.backup()));
    filled.serves_all(&new);
}

#[test]
fn damaged_rows_and_files_are_lost_and_named_and_the_rest_is_saved() {
    let filled = Filled::new();
    let (data, new) = (filled.data(), filled.path("new"));
    let id: uuid::Uuid = filled.jobs[0].parse().unwrap();
    tamper(&data, "job-body-1", |rows, _, _| rows.flip(id.as_bytes()));
    tamper(&data, "meta-1", |rows, _, _| rows.flip(b"schema"));
    let blob = filled.blob();
    fs::write(&blob, "other bytes").unwrap();
    let output = Cli(&data).run(&["check", "--salvage", text(&new)]);
    assert_eq!(output.status.code(), Some(8), "{}", cli::text(&output.stderr));
    let said = cli::text(&output.stdout);
    for lost in ["job-body-1: ", "lacks its row in job-body-1", &format!("artifact of job {ZERO}")]
    {
        assert!(said.contains(lost), "{lost} is not in: {said}");
    }
    // What is there is left as it was.
    assert_eq!(fs::read(&blob).unwrap(), b"other bytes");
    Cli(&new).ok(&["check"]);
    let program = Program::serve(&new);
    let anyone = program.anonymous();
    for job in &filled.jobs[1..] {
        assert_eq!(anyone.claim("q").as_ref(), Some(job));
    }
    assert_eq!(anyone.claim("q"), None);
    assert_eq!(anyone.get("/v1/agents/data").value()[0]["name"], "rack1");
}

#[test]
fn nothing_is_written_over() {
    let filled = Filled::new();
    let data = filled.data();
    Cli(&data).fails(3, &["check", "--salvage", text(filled.dir.path())]);
    let new = filled.path("new");
    let _program = Program::serve(&data);
    Cli(&data).fails(4, &["check", "--salvage", text(&new)]);
    assert!(!new.exists());
}

#[test]
fn a_damaged_journal_leads_to_a_salvage() {
    let filled = Filled::new();
    let (data, new) = (filled.data(), filled.path("new"));
    journal::crash(&data);
    journal::damage(&data, 2);
    let said = Cli(&data).fails(5, &["serve", "--listen", "127.0.0.1:0"]);
    let help = format!("testflinger-server check --salvage INTO --data-dir {}", text(&data));
    assert!(said.contains("batch 2 of the journal") && said.contains(&help), "{said}");
    Cli(&data).fails(5, &["check"]);
    let output = Cli(&data).run(&["check", "--salvage", text(&new)]);
    assert_eq!(output.status.code(), Some(8), "{}", cli::text(&output.stderr));
    assert!(cli::text(&output.stdout).contains("lost: batch 2 of the journal"));
    // The acknowledged writes are not given up behind anybody's back.
    Cli(&data).fails(5, &["serve", "--listen", "127.0.0.1:0"]);
    let program = Program::serve(&new);
    let queues = program.anonymous().get("/v1/agents/queues").value();
    assert!(["a", "b", "d"].iter().all(|name| queues.get(name).is_some()), "{queues}");
    assert!(queues.get("c").is_none(), "{queues}");
    drop(program.stop());
    filled.serves_all(&new);
}
