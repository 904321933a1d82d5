//! A file that is gone: the backup is made without it, and says so.

use std::fs;

use super::{Filled, names, text};
use crate::binary::cli::{self, Cli};
use crate::support::{Part, Program, TestServer, ZERO, run};

/// Data whose one artifact is gone.
fn robbed() -> Filled {
    let filled = Filled::new();
    fs::remove_file(filled.blob()).unwrap();
    filled
}

#[test]
fn the_backup_is_made_and_names_it_and_no_older_one_goes() {
    let filled = robbed();
    let folder = filled.path("backups");
    fs::create_dir(&folder).unwrap();
    let older = folder.join("testflinger-20200101T000000Z.tar");
    fs::write(&older, "an older one").unwrap();
    let program = Program::serve(&filled.data());
    let said = Cli(&filled.data()).fails(8, &["backup", text(&folder), "--keep", "1"]);
    let job = format!("the artifact of job {ZERO}");
    assert!(said.contains(&job) && said.contains("check --repair"), "{said}");
    assert!(older.exists());
    let log = program.stop();
    assert!(log.iter().any(|line| line.contains("ERROR") && line.contains(&job)), "{log:?}");
    let made = folder.join(names(&folder).pop().unwrap());
    let verified = cli::text(&run(&["verify", text(&made)], &[]).stdout);
    assert!(verified.contains("1 were gone"), "{verified}");
}

#[test]
fn the_rest_is_restored_and_sound() {
    let filled = robbed();
    let (backup, new) = (filled.path("b.tar"), filled.path("new"));
    Cli(&filled.data()).fails(8, &["backup", text(&backup)]);
    let said = Cli(&new).ok(&["restore", text(&backup)]);
    assert!(said.contains(&format!("the backup lacks the artifact of job {ZERO}")), "{said}");
    Cli(&new).ok(&["check"]);
    let program = Program::serve(&new);
    let anyone = program.anonymous();
    assert_eq!(anyone.get(&format!("/v1/result/{ZERO}/artifact")).status, 204);
    assert_eq!(anyone.claim("q").as_ref(), filled.jobs.first());
    drop(program.stop());
    Cli(&new).ok(&["backup", text(&filled.path("again.tar"))]);
}

#[test]
fn who_asks_for_it_is_told() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let path = format!("/v1/result/{ZERO}/artifact");
    assert_eq!(anyone.upload(&path, &[Part("file", b"bytes")]).status, 200);
    for file in server.blob_files() {
        fs::remove_file(file).unwrap();
    }
    let answer = anyone.get(&path);
    let told = "The file of the artifact of this job is gone from the server's disk".to_owned();
    assert_eq!((answer.status, answer.message()), (404, told));
}
