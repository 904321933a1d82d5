//! The program asks for a secret on a terminal.

use std::process::Command;

use super::cli::Cli;
use crate::support::auth::SECRET;
use crate::support::{Program, program};

/// Runs a program on a terminal of its own and types each line once the terminal hides what is typed. Prints what
/// the terminal showed; ends as the program ended. With nothing to type it kills a program that asks.
const TYPIST: &str = r#"
import os, pty, sys, termios
lines = sys.stdin.read().splitlines()
silent = not lines
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
shown = b""
def hidden():
    return not termios.tcgetattr(terminal)[3] & termios.ECHO
prompts = 0
while True:
    try:
        some = os.read(terminal, 4096)
    except OSError:
        break
    if not some:
        break
    shown += some
    if silent and b"Secret of" in shown:
        os.kill(pid, 9)
    while lines and shown.count(b": ") > prompts:
        while not hidden():
            pass
        os.write(terminal, lines.pop(0).encode() + b"\n")
        prompts += 1
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

fn python() -> bool {
    let there = Command::new("python3").arg("--version").output().is_ok();
    if !there {
        eprintln!("SKIP SKIP SKIP: the prompt needs python3 to be tested");
    }
    there
}

/// The exit code, and what the terminal showed.
fn type_on_terminal(cli: &Cli<'_>, args: &[&str], lines: &str) -> (i32, String) {
    let input = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(input.path(), lines).unwrap();
    let output = Command::new("python3")
        .args(["-c", TYPIST])
        .arg(program().get_program())
        .args(args)
        .arg("--data-dir")
        .arg(cli.0)
        .stdin(input.reopen().unwrap())
        .output()
        .unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_prompt_asks_twice_and_shows_nothing_of_what_is_typed() {
    if !python() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let cli = Cli(dir.path());
    let typed = format!("{SECRET}\n{SECRET}\n");
    let (code, shown) = type_on_terminal(&cli, &["client-admin", "create", "ci"], &typed);
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("Secret of ci: ") && shown.contains("The same again: "), "{shown}");
    assert!(!shown.contains(SECRET) && shown.contains("created ci"), "{shown}");
    assert_eq!(Program::serve(cli.0).log_in("ci", SECRET).status, 200);

    let other = format!("{SECRET}\n{SECRET}!\n");
    let (code, shown) = type_on_terminal(&cli, &["client", "set-secret", "ci"], &other);
    assert!(code == 2 && shown.contains("the two secrets are not the same"), "{shown}");
    assert!(!shown.contains(SECRET), "{shown}");
}

#[test]
fn nobody_is_asked_for_a_secret_that_could_not_be_stored() {
    if !python() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let cli = Cli(dir.path());
    assert!(cli.create("ci", &[]).status.success());
    for (args, expected) in [
        (["client", "create", "ci"], 3),
        (["client", "create", "a/b"], 2),
        (["client", "set-secret", "nobody"], 1),
    ] {
        let (code, shown) = type_on_terminal(&cli, &args, "");
        assert!(code == expected && !shown.contains("Secret of"), "{code}: {shown}");
    }
}
