//! Runs the program, with strace around it, and says what is skipped where a tool is missing.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

/// No call takes this long, unless something hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// Says loudly that something is not tested, or fails where that is forbidden.
#[track_caller]
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("TESTFLINGER_NO_SKIP").is_none(), "skipping is forbidden: {why}");
    eprintln!("SKIP SKIP SKIP: {why}");
}

/// Whether strace can trace here; says so loudly if not.
#[track_caller]
pub(crate) fn has_strace() -> bool {
    let tried = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    let has = tried.is_ok_and(|output| output.status.success());
    if !has {
        skip("strace is missing, or may not trace");
    }
    has
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Where the program is.
fn binary() -> String {
    let built = env!("CARGO_BIN_EXE_testflinger-server").to_owned();
    std::env::var("TESTFLINGER_BINARY").unwrap_or(built)
}

/// What happens to which system call, in strace's words for an injection.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// Calls, with commas between them.
    pub(crate) calls: String,
    /// `signal=SIGKILL:when=3`, `error=EIO:when=3+` ..
    pub(crate) what: String,
    /// Only calls on this file.
    pub(crate) path: Option<String>,
}

impl Fault {
    pub(crate) fn kill(call: &str, when: usize) -> Self {
        Self { calls: call.to_owned(), what: format!("signal=SIGKILL:when={when}"), path: None }
    }

    pub(crate) fn error(calls: &str, error: &str, when: &str) -> Self {
        Self { calls: calls.to_owned(), what: format!("error={error}:when={when}"), path: None }
    }

    pub(crate) fn on(self, path: &Path) -> Self {
        Self { path: Some(text(path).to_owned()), ..self }
    }
}

/// The program with these arguments, with a fault or none.
fn command(args: &[&str], fault: Option<&Fault>) -> Command {
    let mut command = match fault {
        None => Command::new(binary()),
        Some(fault) => {
            let mut strace = Command::new("strace");
            strace.args(["-f", "-qqq", "-o", "/dev/null"]);
            strace.arg(format!("--trace={}", fault.calls));
            strace.arg(format!("--inject={}:{}", fault.calls, fault.what));
            strace.args(fault.path.iter().flat_map(|path| ["-P", path]));
            strace.arg(binary());
            strace
        }
    };
    command.env_remove("TESTFLINGER_BINARY").env_remove("TESTFLINGER_NO_SKIP");
    // The disks of these tests are smaller than the reserve.
    command.env("TESTFLINGER_DISK_RESERVE", "0");
    command.args(args).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub(crate) fn run(args: &[&str], fault: Option<&Fault>) -> Output {
    command(args, fault).output().unwrap()
}

/// Runs the program, which must succeed, and gives what it printed.
#[track_caller]
pub(crate) fn ok(args: &[&str]) -> String {
    let output = run(args, None);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The same with this on its standard input.
#[track_caller]
pub(crate) fn ok_fed(args: &[&str], input: &str) {
    let mut command = command(args, None);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{args:?}");
}

/// Whether the fault killed it.
pub(crate) fn was_killed(status: ExitStatus) -> bool {
    // strace ends in the same way as the program that it traced.
    status.signal() == Some(9)
}

/// The program while it serves.
pub(crate) struct Server {
    child: Child,
    log: Option<JoinHandle<Vec<String>>>,
    pub(crate) url: String,
}

impl Server {
    /// Starts it; `None` if it ended before it listened.
    pub(crate) fn start(data: &Path, fault: Option<&Fault>) -> Option<Self> {
        let args = ["serve", "--listen", "127.0.0.1:0", "--data-dir", text(data)];
        let mut child = command(&args, fault).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut seen = Vec::new();
        let url = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let url = line.split_once("listening on ").map(|(_, url)| url.to_owned());
            seen.push(line);
            url
        });
        // Go on reading, because otherwise the program would wait until somebody reads.
        let log = std::thread::spawn(move || {
            seen.extend(lines.map_while(Result::ok));
            seen
        });
        let mut server = Self { child, log: Some(log), url: String::new() };
        let Some(url) = url else {
            server.wait();
            return None;
        };
        server.url = url;
        Some(server)
    }

    /// Starts it without a fault; it must listen.
    #[track_caller]
    pub(crate) fn on(data: &Path) -> Self {
        Self::start(data, None).unwrap()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Asks it to end; it must end well.
    pub(crate) fn stop(mut self) {
        let (status, log) = self.end();
        assert!(status.success(), "{status}: {log:#?}");
    }

    /// Asks it to end, if it has not ended by itself, and gives what it said.
    pub(crate) fn end(&mut self) -> (ExitStatus, Vec<String>) {
        let sent = rustix::process::kill_process(self.program(), rustix::process::Signal::TERM);
        // It may end by itself just now.
        assert!(matches!(sent, Ok(()) | Err(rustix::io::Errno::SRCH)), "{sent:?}");
        self.wait()
    }

    /// The program itself, which strace has for a child: strace blocks signals, and leaves the program alone when it is
    /// killed.
    fn program(&self) -> rustix::process::Pid {
        let id = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        let id = children.split_whitespace().next().map_or(id, |child| child.parse().unwrap());
        rustix::process::Pid::from_raw(id.cast_signed()).unwrap()
    }

    /// Waits for its end, and gives what it said.
    pub(crate) fn wait(&mut self) -> (ExitStatus, Vec<String>) {
        let status = self.child.wait().unwrap();
        (status, self.log.take().map(|log| log.join().unwrap()).unwrap_or_default())
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.url)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = rustix::process::kill_process(self.program(), rustix::process::Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends requests; no answer is an answer, too, because the server may die.
pub(crate) struct Client {
    url: String,
    agent: ureq::Agent,
}

impl Client {
    pub(crate) fn new(url: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(PATIENCE))
            .build();
        Self { url: url.to_owned(), agent: config.into() }
    }

    /// Status and body, `None` if no answer came.
    pub(crate) fn post(&self, path: &str, kind: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
        let request = self.agent.post(format!("{}{path}", self.url)).header("Content-Type", kind);
        read(request.send(body).ok()?)
    }

    pub(crate) fn get(&self, path: &str) -> Option<(u16, Vec<u8>)> {
        read(self.agent.get(format!("{}{path}", self.url)).call().ok()?)
    }

    /// Submits a job and gives its id, `None` unless it was acknowledged.
    pub(crate) fn submit(&self, queue: &str) -> Option<String> {
        let body = format!("{{\"job_queue\":\"{queue}\"}}");
        let (status, body) = self.post("/v1/job", "application/json", body.as_bytes())?;
        let value: Value = serde_json::from_slice(&body).ok()?;
        (status == 200).then(|| value["job_id"].as_str().unwrap().to_owned())
    }

    /// Uploads an artifact and gives the status.
    pub(crate) fn upload(&self, job: &str, bytes: &[u8]) -> Option<u16> {
        let head = b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n";
        let body = [&head[..], bytes, b"\r\n--x--\r\n"].concat();
        let path = format!("/v1/result/{job}/artifact");
        self.post(&path, "multipart/form-data; boundary=x", &body).map(|(status, _)| status)
    }

    pub(crate) fn artifact(&self, job: &str) -> Option<Vec<u8>> {
        let (status, body) = self.get(&format!("/v1/result/{job}/artifact"))?;
        (status == 200).then_some(body)
    }

    /// The ids of all jobs of a queue, in order.
    pub(crate) fn listed(&self, queue: &str) -> Vec<String> {
        let (status, body) = self.get(&format!("/v1/queues/{queue}/jobs")).unwrap();
        if status == 204 {
            return Vec::new();
        }
        let jobs: Vec<Value> = serde_json::from_slice(&body).unwrap();
        jobs.iter().map(|job| job["job_id"].as_str().unwrap().to_owned()).collect()
    }
}

fn read(mut answer: ureq::http::Response<ureq::Body>) -> Option<(u16, Vec<u8>)> {
    let body = answer.body_mut().with_config().limit(64 << 20).read_to_vec().ok()?;
    Some((answer.status().as_u16(), body))
}
