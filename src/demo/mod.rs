//! A throw-away server with a simulated lab: agents that claim jobs over the API, log, provision, fail and finish.
//!
//! It is for whoever wants to see the product, and for tests of the web pages.

mod lab;
pub mod simulator;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use self::lab::{FIRMWARE, Lab, RESTRICTED_QUEUE, SUBMITTERS};
use self::simulator::{Caller, LateClock, work};
use crate::auth::refresh::generate_secret;
use crate::config::{Address, Env, Mode, Raw, Settings, Span};
use crate::http::local::LocalApi;
use crate::server::{self, SOCKET, Server};
use crate::store;

/// The client that may do everything.
pub const ADMIN: &str = "demo-admin";
/// The client of all simulated agents.
const AGENTS: &str = "demo-agents";

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server does not start or stop.
    #[error(transparent)]
    Server(#[from] server::Error),
    /// Its settings cannot be used.
    #[error(transparent)]
    Settings(#[from] crate::config::Error),
    /// The directory cannot be made or removed.
    #[error("{0}: {1}")]
    Directory(PathBuf, std::io::Error),
    /// The directory cannot be made.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A request was not answered.
    #[error("{0}: {1}")]
    Request(String, String),
    /// The server refused a request.
    #[error("{0}: {1} {2}")]
    Refused(String, u16, String),
    /// The system gave no random numbers.
    #[error("there are no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    /// There are fewer people in the lab than a story needs.
    #[error("nobody is there to submit a job")]
    Nobody,
}

/// What the demo is to be like.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen.
    pub listen: Address,
    /// What callers without a token may do.
    pub access: Mode,
    /// How long the lab has worked already.
    pub past: Duration,
    /// How long an agent pauses after each small thing that it does.
    pub pace: Duration,
}

/// A running demo. Its data directory goes when it is dropped.
pub struct Demo {
    server: Option<Server>,
    stop: Arc<AtomicBool>,
    secret: SecretString,
    _dir: Directory,
}

impl Demo {
    /// Starts the server and its lab; returns when there is something to look at.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let dir = Directory::new()?;
        let settings = settings(&options, &dir.0)?;
        let clock = Arc::new(LateClock::new(options.past));
        let server = Server::bind_with_clock(&settings, clock.clone()).await?;
        let url = format!("http://{}", server.addr());
        let secret = generate_secret()?;
        let mut local = LocalApi::connect(&dir.0.join(SOCKET))
            .await
            .map_err(|error| Error::Directory(dir.0.clone(), error))?;
        let word = secret.expose_secret();
        let submitters = SUBMITTERS.map(|id| (id, "contributor"));
        for (id, role) in [(ADMIN, "admin"), (AGENTS, "agent")].into_iter().chain(submitters) {
            let mut client = json!({ "role": role, "client_secret": word });
            if id == FIRMWARE {
                client["allowed_queues"] = json!([RESTRICTED_QUEUE]);
            }
            local_post(&mut local, &format!("/admin/clients/{id}"), &client).await?;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let lab = {
            let word = word.to_owned();
            blocking(move || enrolled(&url, &word, clock)).await?
        };
        let owner = json!({ "client_id": FIRMWARE });
        local_post(&mut local, &format!("/v1/restricted-queues/{RESTRICTED_QUEUE}"), &owner)
            .await?;
        let (pace, token) = (options.pace, Arc::clone(&stop));
        blocking(move || begin(lab, pace, &token)).await?;
        Ok(Self { server: Some(server), stop, secret, _dir: dir })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.as_ref().map(|server| format!("http://{}", server.addr())).unwrap_or_default()
    }

    /// The secret of [`ADMIN`] and of all other clients.
    #[must_use]
    pub const fn secret(&self) -> &SecretString {
        &self.secret
    }

    /// Ends it.
    pub async fn end(mut self) -> Result<(), Error> {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(server) = self.server.take() {
            server.shutdown().await?;
        }
        Ok(())
    }
}

fn settings(options: &Options, dir: &Path) -> Result<Settings, Error> {
    let flags = Raw {
        data_dir: Some(dir.to_owned()),
        listen: Some(options.listen),
        access: Some(options.access),
        // What is asked when the demo ends is not worth waiting for.
        shutdown_timeout: Some(Span(Duration::from_secs(1))),
        ..Raw::default()
    };
    Ok(Settings::load(flags, Some(Path::new("/dev/null")), &Env::new())?)
}

/// The lab with agents that have appeared.
fn enrolled(url: &str, secret: &str, clock: Arc<LateClock>) -> Result<Lab, Error> {
    let client = |id| Caller::of_client(url, id, secret);
    let lab = Lab { agents: client(AGENTS), people: SUBMITTERS.map(client).into(), clock };
    lab.enrol()?;
    Ok(lab)
}

/// Makes the past, and starts a thread for each agent. They end with the process or when they are told to stop.
fn begin(lab: Lab, pace: Duration, stop: &Arc<AtomicBool>) -> Result<(), Error> {
    for board in lab.make_past()? {
        let stop = Arc::clone(stop);
        std::thread::spawn(move || work(board, pace, &stop));
    }
    let stop = Arc::clone(stop);
    std::thread::spawn(move || lab.keep_submitting(pace * 3, &stop));
    Ok(())
}

async fn blocking<T: Send + 'static>(
    run: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let ended = tokio::task::spawn_blocking(run).await;
    ended.unwrap_or_else(|error| Err(Error::Request("demo".to_owned(), error.to_string())))
}

async fn local_post(local: &mut LocalApi, path: &str, body: &Value) -> Result<(), Error> {
    let failed = |message| Error::Request(path.to_owned(), message);
    let reply = local.send("POST", path, Some(body)).await.map_err(failed)?;
    if reply.status < 300 { Ok(()) } else { Err(failed(reply.body)) }
}

/// A directory of its own that is removed when it is dropped.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Result<Self, Error> {
        let secret = generate_secret()?;
        let word = secret.expose_secret().get(..12).unwrap_or_default();
        let path = std::env::temp_dir().join(format!("testflinger-demo-{word}"));
        store::create_private(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(dir = %self.0.display(), %error, "the data of the demo remains");
        }
    }
}
