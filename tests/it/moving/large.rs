//! Large dumps, and imports that do not come to their end.

use std::path::Path;
use std::process::{Child, Stdio};

use bson::doc;
use rustix::process::{Pid, Signal, kill_process};

use super::Site;
use super::dump::{Dump, ago, id, job};
use crate::binary::cli::Cli;
use crate::support::{Program, program, until};

const MIB: usize = 1 << 20;

fn start(site: &Site) -> Child {
    let (dump, data) = (site.path("dump"), site.data());
    let paths = [dump.as_path(), Path::new("--data-dir"), data.as_path()];
    let mut command = program();
    command.args(["import", "mongodb"]).args(paths);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The peak memory of a process so far, KiB; `None` once it has ended.
fn peak(child: &Child) -> Option<usize> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

#[test]
fn a_large_dump_takes_no_more_memory_than_a_small_one() {
    let (site, mut dump) = (Site::new(), Dump::default());
    let text = "x".repeat(16 * MIB - 1000);
    for n in 0..3 {
        let mut large = job(n, "complete", 60);
        large.insert("result_data", doc! { "job_state": "complete", "test_output": &text });
        dump.add("jobs", &large);
        let unread = doc! { "job_id": id(n), "updated_at": ago(5), "output": [&text] };
        dump.add("output", &unread);
    }
    dump.pieces(&format!("{}.artifact", id(0)), &vec![7; 96 * MIB], 255 * 1024, 5);
    dump.directory(&site.path("dump"), false);
    let (mut child, mut most) = (start(&site), 0);
    until("the import ends", || {
        most = peak(&child).unwrap_or(0).max(most);
        child.try_wait().unwrap().is_some()
    });
    assert!(child.wait().unwrap().success());
    println!("the peak was {most} KiB");
    assert!(most < 256 * 1024, "{most} KiB");
    let program = Program::serve(&site.data());
    let artifact = program.anonymous().send("HEAD", &format!("/v1/result/{}/artifact", id(0)), b"");
    assert_eq!(artifact.header("content-length"), Some((96 * MIB).to_string().as_str()));
}

#[test]
fn an_interrupted_import_leaves_nothing_and_a_killed_one_nothing_that_is_in_the_way() {
    let (site, mut dump) = (Site::new(), Dump::default());
    dump.add("jobs", &job(0, "complete", 60));
    for n in 0..15_000 {
        dump.add("logs", &doc! {
            "job_id": id(n % 50), "log_type": "output", "phase": "test", "fragment_number": n, "log_data": "a line\n",
        });
    }
    dump.directory(&site.path("dump"), false);
    let partial = site.path("data.partial");
    let begin = || {
        let child = start(&site);
        until("the import begins", || partial.join("testflinger.redb").exists());
        child
    };
    let mut child = begin();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(!partial.exists() && !site.data().exists());
    let mut child = begin();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(partial.exists() && !site.data().exists());
    let mut child = start(&site);
    assert!(child.wait().unwrap().success());
    assert!(!partial.exists());
    Cli(&site.data()).ok(&["check"]);
}
