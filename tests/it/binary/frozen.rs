//! Data on a read-only file system is looked at and backed up, and never changed.

use std::path::Path;
use std::process::{Command, Output};

use super::cli::{Cli, text};
use crate::support::program;

/// Runs an admin command in a namespace in which the data directory cannot be written; `None` where that is not possible.
fn frozen(data: &Path, args: &str) -> Option<Output> {
    let (program, data) = (program(), data.display());
    let program = program.get_program().to_str().unwrap();
    let run = |what: &str| {
        let script = format!(
            "mount --bind {data} {data} && mount -o remount,bind,ro {data} || exit 99; {what}"
        );
        Command::new("unshare").args(["-m", "sh", "-c", &script]).env_clear().output()
    };
    let can = run("true").is_ok_and(|output| output.status.success());
    if !can {
        assert!(std::env::var_os("TESTFLINGER_NO_SKIP").is_none(), "no namespace for mounts");
        eprintln!("SKIP SKIP SKIP: there is no namespace for mounts");
        return None;
    }
    Some(run(&format!("TMPDIR={data}/.. exec {program} {args} --data-dir {data}")).unwrap())
}

#[test]
fn lists_and_backups_work_and_changes_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let cli = Cli(&data);
    assert!(cli.create("ci", &[]).status.success());
    let Some(list) = frozen(&data, "client-admin list") else { return };
    assert!(list.status.success(), "{}", text(&list.stderr));
    assert!(text(&list.stdout).contains("ci"));
    assert!(text(&list.stderr).contains("read-only file system; using a copy"));
    let backup = dir.path().join("b.tar");
    let backup = frozen(&data, &format!("backup {}", backup.display())).unwrap();
    assert!(backup.status.success(), "{}", text(&backup.stderr));
    let deleted = frozen(&data, "client-admin delete ci").unwrap();
    assert_eq!(deleted.status.code(), Some(1));
    assert!(text(&deleted.stderr).contains("nothing of it can be changed"));
    assert_eq!(cli.clients().len(), 1);
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(Result::unwrap).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}
