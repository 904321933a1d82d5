//! HTTPS on the server's own port. `tests/certificates` has two pairs that nothing else trusts; they end in the year 2126.

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Caller, Connection, PATIENCE, Program, run, until};

fn read(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates");
    fs::read_to_string(folder.join(name)).unwrap()
}

/// A directory with a certificate and a key.
struct Pair(TempDir);

impl Pair {
    fn new(name: &str) -> Self {
        let pair = Self(tempfile::tempdir().unwrap());
        pair.hold(&read(&format!("{name}.pem")), &read(&format!("{name}.key")));
        pair
    }

    fn hold(&self, certificate: &str, key: &str) {
        fs::write(self.certificate(), certificate).unwrap();
        fs::write(self.key(), key).unwrap();
        self.set_mode(0o640);
    }

    fn set_mode(&self, mode: u32) {
        fs::set_permissions(self.key(), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn certificate(&self) -> PathBuf {
        self.0.path().join("lab.pem")
    }

    fn key(&self) -> PathBuf {
        self.0.path().join("lab.key")
    }

    fn flags(&self) -> [String; 2] {
        [
            format!("--tls-certificate-file={}", self.certificate().display()),
            format!("--tls-key-file={}", self.key().display()),
        ]
    }

    fn serve(&self) -> Program {
        let flags = self.flags();
        Program::serve_with(&self.0.path().join("data"), &[&flags[0], &flags[1]])
    }

    /// Reloads and waits for a line in the log.
    fn reload(program: &Program, words: &str) {
        program.signal(Signal::HUP);
        until(words, || program.log().iter().any(|line| line.contains(words)));
    }
}

fn trusting(program: &Program, name: &str) -> Caller {
    Caller::trusting(program.url.clone(), &read(&format!("{name}.pem")))
}

#[test]
fn two_settings_turn_https_on() {
    let pair = Pair::new("one");
    let program = pair.serve();
    assert!(program.url.starts_with("https://127.0.0.1:"), "{}", program.url);
    let caller = trusting(&program, "one");
    let id = caller.submit(&json!({ "job_queue": "q" }));
    assert_eq!(caller.claim("q"), Some(id));
}

#[test]
fn a_large_body_and_a_large_answer_pass_through_https() {
    let pair = Pair::new("one");
    let program = pair.serve();
    let caller = trusting(&program, "one");
    let job = json!({ "job_queue": "q", "text": "x".repeat(3 << 20) });
    let id = caller.submit(&job);
    let found = caller.get(&format!("/v1/job/{id}"));
    assert_eq!((found.status, &found.value()["text"]), (200, &job["text"]));
}

#[test]
fn whoever_speaks_plain_http_to_it_or_nothing_at_all_disturbs_nobody() {
    let pair = Pair::new("one");
    let program = pair.serve();
    let address = program.url.strip_prefix("https://").unwrap();
    let _silent = TcpStream::connect(address).unwrap();
    let mut plain = Connection::open(&format!("http://{address}"));
    plain.send(b"GET /v1 HTTP/1.1\r\nHost: lab\r\n\r\n");
    let mut other = TcpStream::connect(address).unwrap();
    other.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(trusting(&program, "one").get("/v1").status, 200);
    std::io::Write::write_all(&mut other, b"GET /v1 HTTP/1.1\r\n\r\n").unwrap();
    let mut said = Vec::new();
    // The connection may also be reset.
    let _ = other.read_to_end(&mut said);
    assert!(!said.starts_with(b"HTTP/1.1 200"), "{said:?}");
}

#[test]
fn sighup_exchanges_the_certificate_and_keeps_connections() {
    let pair = Pair::new("one");
    let program = pair.serve();
    let before = trusting(&program, "one");
    assert_eq!(before.get("/v1").status, 200);
    pair.hold(&read("two.pem"), &read("two.key"));
    Pair::reload(&program, "new connections get the certificate");
    assert_eq!(trusting(&program, "two").get("/v1").status, 200);
    // It would not trust the new certificate, so it still uses its old connection.
    assert_eq!(before.get("/v1").status, 200);
}

#[test]
fn sighup_with_a_bad_pair_keeps_the_old_one_and_says_so() {
    let pair = Pair::new("one");
    let program = pair.serve();
    for (certificate, key, words) in [
        (read("two.pem"), read("one.key"), "cannot be used with the certificate"),
        (read("two.pem"), String::new(), "there is no private key in it"),
        ("nonsense".to_owned(), read("two.key"), "there is no certificate in it"),
    ] {
        pair.hold(&certificate, &key);
        Pair::reload(&program, words);
        let said = program.log().iter().any(|line| line.contains("the certificate stays as it is"));
        assert!(said, "{:?}", program.log());
        assert_eq!(trusting(&program, "one").get("/v1").status, 200);
    }
}

#[test]
fn a_pair_that_cannot_be_used_stops_the_start_and_the_check_of_settings() {
    let pair = Pair::new("one");
    let refused = |flags: &[String], words: &str| {
        for more in [None, Some("--check-settings")] {
            let data = pair.0.path().join("data").display().to_string();
            let mut args = vec!["serve", "--listen=127.0.0.1:0", "--data-dir", &data];
            args.extend(flags.iter().map(String::as_str));
            args.extend(more);
            let output = run(&args, &[]);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.code() == Some(2) && said.contains(words), "{said}");
        }
    };
    let flags = pair.flags();
    refused(&flags[..1], "tls_key_file is missing");
    refused(&flags[1..], "tls_certificate_file is missing");
    pair.set_mode(0o644);
    refused(&flags, "chmod o=");
    pair.hold(&read("two.pem"), &read("one.key"));
    refused(&flags, "cannot be used with the certificate");
    fs::remove_file(pair.key()).unwrap();
    refused(&flags, "lab.key: No such file");
}

#[test]
fn settings_can_be_checked_without_a_start() {
    let pair = Pair::new("one");
    let data = pair.0.path().join("data");
    let flags = pair.flags();
    let place = data.to_str().unwrap();
    let args = ["serve", "--check-settings", &flags[0], &flags[1], "--data-dir", place];
    assert_eq!(run(&args, &[]).status.code(), Some(0));
    let output = run(&[&args[..], &["--hold=1h"]].concat(), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("hold: must be at most 25s"));
    assert!(!data.exists());
}
