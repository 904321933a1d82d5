//! The admin socket.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::support::auth::{Socket, is_root};
use crate::support::{Program, until};

/// Nobody.
const OTHER: u32 = 65_534;

fn allow_all(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
}

#[test]
fn only_its_user_may_open_the_admin_socket() {
    let dir = tempfile::tempdir().unwrap();
    let _program = Program::serve(dir.path());
    let mode = std::fs::metadata(dir.path().join("admin.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn another_user_is_refused_even_where_the_file_lets_everybody_in() {
    if !is_root("opening the admin socket as another user") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let program = Program::serve(dir.path());
    let socket = dir.path().join("admin.sock");
    allow_all(dir.path());
    allow_all(&socket);
    let ask = "import socket,sys\n\
               s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n\
               s.sendall(b'GET /v1/client-permissions HTTP/1.0\\r\\n\\r\\n')\n\
               print(s.recv(100))";
    let as_user = |uid| {
        let output = Command::new("python3")
            .args(["-c", ask])
            .arg(&socket)
            .uid(uid)
            .current_dir("/")
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    assert!(as_user(0).contains("200 OK"));
    let refused = as_user(OTHER);
    assert!(!refused.contains("HTTP"), "{refused}");
    until("it is logged who was refused", || {
        let log = program.log();
        log.iter().any(|line| line.contains("authz_fail") && line.contains(&OTHER.to_string()))
    });
    assert_eq!(Socket::of(dir.path()).send("GET", "/v1/client-permissions", None).status, 200);
}

#[test]
fn the_socket_goes_with_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let mut program = Program::serve(dir.path());
    program.signal(rustix::process::Signal::TERM);
    assert_eq!(program.wait().code(), Some(0));
    assert!(!dir.path().join("admin.sock").exists());
}
