//! The program as a service: what it tells the manager that started it, and the socket that it is handed.

use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{PATIENCE, Program, program, until};

/// A service manager that listens.
struct Manager {
    dir: TempDir,
    socket: UnixDatagram,
}

impl Manager {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(dir.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { dir, socket }
    }

    fn start(&self, env: &[(&str, &str)]) -> Program {
        let path = self.dir.path().join("notify");
        let env = [env, &[("NOTIFY_SOCKET", path.to_str().unwrap())]].concat();
        Program::serve_in(&self.dir.path().join("data"), &[], &env)
    }

    /// Waits for a message with this line and gives all of it.
    #[track_caller]
    fn told(&self, line: &str) -> String {
        let mut buffer = [0; 4096];
        loop {
            let size = self.socket.recv(&mut buffer).unwrap();
            let text = String::from_utf8(buffer[..size].to_vec()).unwrap();
            if text.lines().any(|found| found == line) {
                return text;
            }
        }
    }
}

#[test]
fn the_manager_is_told_when_it_is_ready_and_when_it_stops() {
    let manager = Manager::new();
    let mut program = manager.start(&[]);
    let address = program.url.strip_prefix("http://").unwrap();
    let told = manager.told("READY=1");
    assert!(told.contains(&format!("STATUS=Serving on {address}")), "{told}");
    program.signal(Signal::TERM);
    manager.told("STOPPING=1");
    assert_eq!(program.wait().code(), Some(0));
}

#[test]
fn sighup_is_a_reload_and_ends_nothing() {
    let manager = Manager::new();
    let program = manager.start(&[]);
    manager.told("READY=1");
    program.signal(Signal::HUP);
    let told = manager.told("RELOADING=1");
    assert!(told.contains("MONOTONIC_USEC="), "{told}");
    manager.told("READY=1");
    assert_eq!(program.anonymous().get("/v1").status, 200);
}

#[test]
fn the_watchdog_is_answered_when_the_manager_asks_for_it() {
    let manager = Manager::new();
    let _program = manager.start(&[("WATCHDOG_USEC", "90000")]);
    for _ in 0..3 {
        manager.told("WATCHDOG=1");
    }
}

#[test]
fn a_watchdog_of_another_process_is_none() {
    let manager = Manager::new();
    let mut program = manager.start(&[("WATCHDOG_USEC", "3000"), ("WATCHDOG_PID", "1")]);
    manager.told("READY=1");
    program.signal(Signal::TERM);
    program.wait();
    manager.socket.set_nonblocking(true).unwrap();
    let mut buffer = [0; 4096];
    while let Ok(size) = manager.socket.recv(&mut buffer) {
        assert!(!buffer[..size].starts_with(b"WATCHDOG"));
    }
}

#[test]
fn a_manager_that_is_gone_is_no_reason_not_to_serve() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::serve_in(dir.path(), &[], &[("NOTIFY_SOCKET", "/nowhere/notify")]);
    assert_eq!(program.anonymous().get("/v1").status, 200);
}

/// Starts the program as systemd does: the socket is file 3, and the variables say so.
fn serve_on(socket: &TcpListener, data: &Path) -> Program {
    let mut command = std::process::Command::new("/bin/sh");
    let script = "exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$@\"";
    command.args(["-c", script, "sh"]).arg(program().get_program()).env_clear();
    command.stdin(Stdio::from(OwnedFd::from(socket.try_clone().unwrap())));
    Program::spawn(command, data, &[])
}

#[test]
fn a_socket_that_is_handed_over_is_served_instead_of_the_setting() {
    let dir = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let program = serve_on(&socket, dir.path());
    assert_eq!(program.url, format!("http://{}", socket.local_addr().unwrap()));
    let said = |program: &Program| program.log().iter().any(|line| line.contains("is not used"));
    until("it says that the setting is not used", || said(&program));
}

#[test]
fn a_connection_made_during_a_restart_is_served_by_the_next_program() {
    let dir = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let first = serve_on(&socket, dir.path());
    let id = first.anonymous().submit(&json!({ "job_queue": "q" }));
    first.stop();
    // Nobody accepts now, and nobody is refused.
    let _waiting = TcpStream::connect(socket.local_addr().unwrap()).unwrap();
    let second = serve_on(&socket, dir.path());
    assert_eq!(second.anonymous().claim("q"), Some(id));
}

#[test]
fn two_sockets_are_refused_with_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let output = crate::support::run(&["serve", "--data-dir", data], &[("LISTEN_FDS", "2")]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("keep one ListenStream="), "{said}");
}
