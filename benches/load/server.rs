//! The real program, started on a data directory of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

pub(crate) struct Server {
    child: Child,
    /// The program's own id, even within a wrapper.
    pid: u32,
    pub(crate) addr: String,
    // Removed when dropped, after the program has ended.
    _dir: TempDir,
}

impl Server {
    /// Starts `binary`, within `wrapper` if that has words (`strace -f ..`), and waits until it listens. It holds requests
    /// for so long.
    pub(crate) fn start(binary: &Path, wrapper: &[&str], hold: &str, below: &Path) -> Self {
        let dir = TempDir::new_in(below).unwrap();
        let mut words = wrapper.iter().copied().chain([binary.to_str().unwrap()]);
        let mut child = Command::new(words.next().unwrap())
            .args(words)
            .args(["serve", "--listen", "127.0.0.1:0", "--hold", hold, "--log", "info"])
            .arg("--data-dir")
            .arg(dir.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let addr = loop {
            let line = lines.next().expect("the program ended before it listened").unwrap();
            if let Some((_, addr)) = line.split_once("listening on http://") {
                break addr.split([' ', '"']).next().unwrap().to_owned();
            }
        };
        // A full pipe would stop the program.
        std::thread::spawn(move || lines.for_each(drop));
        let pid = if wrapper.is_empty() { child.id() } else { only_child(child.id()) };
        Self { child, pid, addr, _dir: dir }
    }

    /// Resident memory, kB.
    pub(crate) fn resident(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Processor time of all threads so far, seconds.
    pub(crate) fn processor(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u32 = fields[11..13].iter().map(|ticks| ticks.parse::<u32>().unwrap()).sum();
        f64::from(ticks) / 100.0
    }

    /// Ends the program as an administrator would, and waits for it.
    pub(crate) fn stop(mut self) {
        let pid = rustix::process::Pid::from_raw(self.pid.cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success(), "the program failed");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn only_child(pid: u32) -> u32 {
    let path = format!("/proc/{pid}/task/{pid}/children");
    std::fs::read_to_string(path).unwrap().trim().parse().unwrap()
}
