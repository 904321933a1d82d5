use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use testflinger_server::config::{Env, Raw, Settings, Span};
use testflinger_server::domain::{Clock, ManualClock, Timestamp};
use testflinger_server::server::Server;

use super::Caller;

/// 2026-11-23T12:00:00Z, at which the clock of every test server begins.
pub(crate) const START: i64 = 1_795_435_200_000_000;

/// The real server on a free port, with a data directory of its own and a clock that stands still.
pub(crate) struct TestServer {
    dir: TempDir,
    clock: Arc<ManualClock>,
    running: Option<(tokio::runtime::Runtime, Server)>,
    raw: Raw,
}

impl TestServer {
    pub(crate) fn start() -> Self {
        Self::with(Raw::default())
    }

    /// A server with the settings of a test. Data directory and address are always its own.
    pub(crate) fn with(raw: Raw) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(START)));
        let dir = tempfile::tempdir().unwrap();
        let mut server = Self { dir, clock, running: None, raw };
        server.resume();
        server
    }

    fn resume(&mut self) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let flags = Raw {
            data_dir: Some(self.dir.path().join("data")),
            listen: Some("127.0.0.1:0".parse().unwrap()),
            // Requests are not held unless a test wants it, so that a test that finds no job is answered at once.
            hold: self.raw.hold.or(Some(Span(Duration::ZERO))),
            ..self.raw.clone()
        };
        let settings = Settings::load(flags, None, &Env::new()).unwrap();
        let server =
            runtime.block_on(Server::bind_with_clock(&settings, self.clock.clone())).unwrap();
        self.running = Some((runtime, server));
    }

    /// Shuts the server down cleanly and starts it again on the same data.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.resume();
    }

    /// The same, with something done to the data meanwhile.
    pub(crate) fn restart_after(&mut self, change: impl FnOnce()) {
        self.stop();
        change();
        self.resume();
    }

    fn stop(&mut self) {
        if let Some((runtime, server)) = self.running.take() {
            runtime.block_on(server.shutdown()).unwrap();
        }
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, span: Duration) {
        self.clock.advance(span);
    }

    /// Steps the clock back, as an administrator or NTP does.
    pub(crate) fn step_back(&self, span: Duration) {
        self.clock.set(self.clock.now().minus(span));
    }

    /// Steps the clock forward, without time passing.
    pub(crate) fn step_ahead(&self, span: Duration) {
        self.clock.set(self.clock.now().plus(span));
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.running.as_ref().unwrap().1.addr())
    }

    /// The port for metrics.
    pub(crate) fn metrics_url(&self) -> String {
        format!("http://{}", self.running.as_ref().unwrap().1.metrics_addr().unwrap())
    }

    /// A caller who does not say who they are.
    pub(crate) fn anonymous(&self) -> Caller {
        Caller::new(self.url())
    }

    /// A caller whose cookie says that they are this agent.
    pub(crate) fn agent(&self, name: &str) -> Caller {
        self.anonymous().header("Cookie", &format!("agent_name={name}"))
    }

    pub(crate) fn data_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("data")
    }

    /// The files that hold blobs, partial ones too.
    pub(crate) fn blob_files(&self) -> Vec<String> {
        let mut names = Vec::new();
        for folder in read(&self.data_dir().join("blobs")) {
            names.extend(read(&folder).into_iter().map(|path| path.display().to_string()));
        }
        names
    }
}

fn read(dir: &Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stop();
        }
    }
}
