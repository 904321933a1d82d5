//! The real program, started on a data directory of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub(crate) struct Server {
    /// How it was started.
    words: Vec<String>,
    child: Child,
    /// The program's own id, even within a wrapper.
    pid: u32,
    pub(crate) addr: String,
    /// How long it took until it listened.
    pub(crate) started_in: Duration,
    // Removed when dropped, after the program has ended.
    dir: Arc<TempDir>,
}

impl Server {
    /// Starts `binary` with these settings on a data directory of its own, within `wrapper` if that has words
    /// (`strace -f ..`), and waits until it listens.
    pub(crate) fn start(binary: &Path, wrapper: &[&str], settings: &[&str], below: &Path) -> Self {
        let dir = Arc::new(TempDir::new_in(below).unwrap());
        let serve = ["serve", "--listen", "127.0.0.1:0", "--log", "info", "--data-dir"];
        let words = [wrapper, &[binary.to_str().unwrap()], &serve].concat();
        let words = [&words[..], &[dir.path().to_str().unwrap()], settings].concat();
        let is_wrapped = !wrapper.is_empty();
        Self::launch(words.into_iter().map(str::to_owned).collect(), is_wrapped, dir)
    }

    fn launch(words: Vec<String>, is_wrapped: bool, dir: Arc<TempDir>) -> Self {
        let begun = Instant::now();
        let mut command = Command::new(&words[0]);
        let mut child = command.args(&words[1..]).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let addr = loop {
            let Some(line) = lines.next() else {
                panic!("the program ended before it listened: {}", said.join("\n"));
            };
            let line = line.unwrap();
            if let Some((_, addr)) = line.split_once("listening on http://") {
                break addr.split([' ', '"']).next().unwrap().to_owned();
            }
            said.push(line);
        };
        let started_in = begun.elapsed();
        // A full pipe would stop the program.
        std::thread::spawn(move || lines.for_each(drop));
        let pid = if is_wrapped { only_child(child.id()) } else { child.id() };
        Self { words, child, pid, addr, started_in, dir }
    }

    /// Ends the program, by a clean stop or with a signal that it does not see, and starts it again on the same data.
    pub(crate) fn again(mut self, signal: Signal) -> Self {
        self.send(signal);
        let (words, dir) = (std::mem::take(&mut self.words), Arc::clone(&self.dir));
        drop(self);
        Self::launch(words, false, dir)
    }

    /// Runs an admin command of the program on its data.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(words).arg("--data-dir").arg(self.dir.path()).stdout(Stdio::null());
        command
    }

    /// Sends a signal, and waits for the end.
    fn send(&mut self, signal: Signal) -> bool {
        kill_process(Pid::from_raw(self.pid.cast_signed()).unwrap(), signal).unwrap();
        self.child.wait().unwrap().success()
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
        assert!(self.send(Signal::TERM), "the program failed");
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
