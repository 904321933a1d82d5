//! The program under attack.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use super::wire;

/// The secret of every client that an attack makes.
pub(crate) const SECRET: &str = "correct horse battery staple";

fn program() -> Command {
    let built = env!("CARGO_BIN_EXE_testflinger-server").to_owned();
    let mut command = Command::new(std::env::var("TESTFLINGER_BINARY").unwrap_or(built));
    command.env_clear();
    command
}

/// Makes a client in a data directory that nobody serves.
pub(crate) fn create_client(data: &Path, id: &str, role: &str, more: &[&str]) -> bool {
    let mut child = program()
        .args([
            "client-admin",
            "create",
            id,
            "--role",
            role,
            "--secret-stdin",
            "--init",
            "--data-dir",
        ])
        .arg(data)
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(SECRET.as_bytes());
    child.wait().unwrap().success()
}

/// Starts a server that is expected to refuse; says whether it did, and what it said.
pub(crate) fn refusal(data: &Path, more: &[&str]) -> Option<String> {
    Server::start(data, more).err()
}

/// The program while it serves.
pub(crate) struct Server {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    pub(crate) addr: SocketAddr,
    /// Removed when the server is gone.
    dir: Option<tempfile::TempDir>,
}

impl Server {
    /// Starts it on a new data directory.
    pub(crate) fn new(more: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut server = Self::start(&dir.path().join("data"), more).unwrap();
        server.dir = Some(dir);
        server
    }

    /// The same with clients whose ids are their roles.
    pub(crate) fn with_clients(roles: &[&str], more: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        for role in roles {
            assert!(create_client(&data, role, role, &[]));
        }
        let mut server = Self::start(&data, more).unwrap();
        server.dir = Some(dir);
        server
    }

    /// Starts it, or gives what it said when it ended.
    pub(crate) fn start(data: &Path, more: &[&str]) -> Result<Self, String> {
        let mut child = program()
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data)
            .args(more)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut seen = Vec::new();
        let addr = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let addr = line.split_once("http://").and_then(|(_, addr)| addr.trim().parse().ok());
            seen.push(line);
            addr
        });
        let log = Arc::new(Mutex::new(seen));
        let Some(addr) = addr else {
            let _ = child.wait();
            return Err(log.lock().unwrap().join("\n"));
        };
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        Ok(Self { child, log, addr, dir: None })
    }

    /// Whether a line of the log has this word.
    pub(crate) fn said(&self, word: &str) -> bool {
        self.log.lock().unwrap().iter().any(|line| line.contains(word))
    }

    /// A field of `/proc/<pid>/status` in bytes.
    pub(crate) fn memory(&self, field: &str) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap() << 10
    }

    /// Logs a client in and gives its access token.
    pub(crate) fn token(&self, id: &str) -> String {
        let answer = self.log_in(id, SECRET).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) fn log_in(&self, id: &str, secret: &str) -> Option<wire::Answer> {
        use base64::Engine as _;
        let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}"));
        let headers = [("Authorization", &*format!("Basic {encoded}"))];
        wire::send(self.addr, &wire::request("POST", "/v1/oauth2/token", &headers, b""))
    }

    /// Sends JSON with a token and maybe an agent's cookie.
    pub(crate) fn ask(
        &self,
        token: &str,
        agent: Option<&str>,
        (method, path): (&str, &str),
        json: &str,
    ) -> wire::Answer {
        let (bearer, cookie) =
            (format!("Bearer {token}"), format!("agent_name={}", agent.unwrap_or("")));
        let mut headers = vec![wire::JSON[0], ("Authorization", &bearer)];
        if agent.is_some() {
            headers.push(("Cookie", &cookie));
        }
        wire::send(self.addr, &wire::request(method, path, &headers, json.as_bytes())).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
