//! A file system that is really full.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::fixture::{Told, artifact};
use super::tools::{Server, ok, run, skip, text};

/// A small ext4 file system.
struct Small {
    dir: tempfile::TempDir,
}

impl Small {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let (image, mount) = (dir.path().join("image"), dir.path().join("mount"));
        fs::create_dir(&mount).unwrap();
        fs::File::create(&image).unwrap().set_len(24 << 20).unwrap();
        let done = |command: &mut Command| command.output().is_ok_and(|out| out.status.success());
        let made = done(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))
            && done(Command::new("mount").args(["-o", "loop"]).args([&image, &mount]));
        if !made {
            skip("a file system of one's own needs root, mkfs.ext4 and loop devices");
            return None;
        }
        Some(Self { dir })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("mount").join(name)
    }

    /// Fills the file system except for about this many bytes.
    fn fill(&self, left: usize) -> PathBuf {
        let path = self.path("filler");
        let piece = vec![1; 64 << 10];
        let mut file = fs::File::create(&path).unwrap();
        while std::io::Write::write_all(&mut file, &piece).is_ok() {}
        let size = file.metadata().unwrap().len();
        file.set_len(size.saturating_sub(left as u64)).unwrap();
        file.sync_all().unwrap();
        path
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path("")).status();
    }
}

fn is_empty_of_partials(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.contains("partial"), "{name}");
    }
}

#[test]
fn a_full_disk_refuses_what_does_not_fit_and_loses_nothing() {
    let Some(disk) = Small::mount() else { return };
    let data = disk.path("data");
    let mut told = Told::default();
    let server = Server::on(&data);
    told.work(&server.client(), 20, 4);
    assert_eq!(told.artifacts.len(), 4);
    let filler = disk.fill(300 << 10);
    // An upload that is too large is refused, and nothing of it stays.
    let big = "00000000-0000-4000-8000-999999999999";
    assert_eq!(server.client().upload(big, &vec![7; 2 << 20]), Some(507));
    assert_eq!(server.client().artifact(big), None);
    assert_eq!(server.client().get("/v1").unwrap().0, 200);
    // Jobs are taken until even they do not fit; then the server ends or refuses, and says why.
    let mut full = false;
    for _ in 0..20_000 {
        let Some(job) = server.client().submit("q") else {
            full = true;
            break;
        };
        told.jobs.push(job);
    }
    let mut server = server;
    if full && server.client().get("/v1").is_none() {
        let (status, log) = server.wait();
        assert!(log.concat().contains("No space left"), "{log:#?}");
        assert_eq!(status.code(), Some(7), "{log:#?}");
    } else {
        server.kill();
        server.wait();
    }
    fs::remove_file(filler).unwrap();
    told.is_kept(&data);
    let server = Server::on(&data);
    assert_eq!(server.client().upload(big, &artifact(big)), Some(200));
    server.stop();
}

#[test]
fn a_backup_or_restore_that_does_not_fit_says_so_beforehand_and_leaves_nothing() {
    let Some(disk) = Small::mount() else { return };
    let elsewhere = tempfile::tempdir().unwrap();
    let (data, backup) = (elsewhere.path().join("data"), elsewhere.path().join("b.tar"));
    let server = Server::on(&data);
    let job = "00000000-0000-4000-8000-000000000001";
    assert_eq!(server.client().upload(job, &vec![7; 4 << 20]), Some(200));
    server.stop();
    ok(&["backup", text(&backup), "--data-dir", text(&data)]);
    let filler = disk.fill(1 << 20);
    let (target, restored) = (disk.path("b.tar"), disk.path("restored"));
    for args in [
        ["backup", text(&target), "--data-dir", text(&data)],
        ["restore", text(&backup), "--data-dir", text(&restored)],
    ] {
        let output = run(&args, None);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(7), "{args:?}: {said}");
        assert!(said.contains("bytes are needed") && said.contains("are free"), "{said}");
        is_empty_of_partials(&disk.path(""));
    }
    fs::remove_file(filler).unwrap();
    ok(&["backup", text(&target), "--data-dir", text(&data)]);
    ok(&["restore", text(&target), "--data-dir", text(&restored)]);
}
