use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};

use super::auth::{SECRET, basic, raw};
use super::{Answer, Caller, until};

/// The program with an empty environment.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_testflinger-server"));
    command.env_clear();
    command
}

/// Runs the program to its end.
pub(crate) fn run(args: &[&str], env: &[(&str, &str)]) -> Output {
    program().args(args).envs(env.iter().copied()).output().unwrap()
}

/// Runs the program to its end with something on its standard input.
pub(crate) fn run_with_input(args: &[&str], input: &str) -> Output {
    let mut child = program()
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Sometimes the program refuses before it reads.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// The program while it serves a data directory on a free port.
pub(crate) struct Program {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
    pub(crate) url: String,
}

impl Program {
    /// Starts it and waits until it says where it listens.
    pub(crate) fn serve(data_dir: &Path) -> Self {
        Self::serve_with(data_dir, &[])
    }

    /// The same with more arguments.
    pub(crate) fn serve_with(data_dir: &Path, more: &[&str]) -> Self {
        Self::serve_in(data_dir, more, &[])
    }

    /// The same in an environment.
    pub(crate) fn serve_in(data_dir: &Path, more: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = program();
        command.envs(env.iter().copied());
        Self::spawn(command, data_dir, more)
    }

    /// The same by a command that leads to the program.
    pub(crate) fn spawn(mut command: Command, data_dir: &Path, more: &[&str]) -> Self {
        let mut child = command
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data_dir)
            .args(more)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        let mut program = Self { child, log, reader: Some(reader), url: String::new() };
        let url = |line: &String| {
            let (_, rest) = line.split_once("listening on ")?;
            Some(rest.split(['"', ' ']).next()?.to_owned())
        };
        until("the program listens", || {
            let found = program.log().iter().find_map(url);
            program.url = found.unwrap_or_default();
            let gone = program.child.try_wait().unwrap();
            assert!(gone.is_none(), "{gone:?}: {:?}", program.log());
            !program.url.is_empty()
        });
        program
    }

    pub(crate) fn anonymous(&self) -> Caller {
        Caller::new(self.url.clone())
    }

    /// Logs a client in as the clients of 2026 do.
    pub(crate) fn log_in(&self, id: &str, secret: &str) -> Answer {
        let authorization = basic(id, secret);
        let headers = [("Content-Length", "0"), ("Authorization", authorization.as_str())];
        raw(&self.url, "POST /v1/oauth2/token", &headers, "")
    }

    /// Somebody who shows a new access token of this client.
    #[track_caller]
    pub(crate) fn client(&self, id: &str) -> Caller {
        let answer = self.log_in(id, SECRET);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let token = answer.value()["access_token"].as_str().unwrap().to_owned();
        self.anonymous().header("Authorization", &format!("Bearer {token}"))
    }

    /// Stops it and gives its whole log.
    pub(crate) fn stop(mut self) -> Vec<String> {
        self.signal(Signal::TERM);
        assert!(self.wait().success());
        self.log()
    }

    /// The lines that it logged so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let status = self.child.wait().unwrap();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        status
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
