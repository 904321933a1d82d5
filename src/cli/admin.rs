//! How admin commands reach the data: over the admin socket of a running server, or else in the data directory itself.
//! Both ways lead to the same router.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use super::{Failure, environment};
use crate::config::{Raw, Settings};
use crate::domain::SystemClock;
use crate::http::local::{Body, Bytes, LocalApi, Reply, next_piece};
use crate::server;
use crate::store;

/// Where the data is.
#[derive(clap::Args)]
pub(super) struct Place {
    /// The data directory [default: as for serve]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The configuration file [default: /etc/testflinger-server/config.toml if it exists]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Place {
    /// The settings of the server there.
    pub(super) fn settings(self) -> Result<Settings, Failure> {
        let flags = Raw { data_dir: self.data_dir, ..Raw::default() };
        Ok(Settings::load(flags, self.config.as_deref(), &environment())?)
    }
}

/// What to do when there is no data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Create a database, because the first client may be created before the first start.
    Create,
    /// Fail, because a mistyped directory must not become an empty database.
    Refuse,
}

/// A connection to the data as its administrator.
pub(super) struct Admin {
    runtime: tokio::runtime::Runtime,
    api: LocalApi,
    opened: Option<(Arc<store::Store>, PathBuf)>,
}

impl Admin {
    /// Connects to the server or opens its data, and says on standard error which of the two.
    pub(super) fn open(place: Place, missing: Missing) -> Result<Self, Failure> {
        let settings = place.settings()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(1, error.to_string()))?;
        let data_dir = settings.storage.data_dir.clone();
        let dir = data_dir.display();
        let socket = data_dir.join(server::SOCKET);
        if let Ok(api) = runtime.block_on(LocalApi::connect(&socket)) {
            eprintln!("using the running server of {dir}");
            return Ok(Self { runtime, api, opened: None });
        }
        if missing == Missing::Refuse && !data_dir.join(store::DATABASE).exists() {
            return Err(store::Error::NoData(data_dir).into());
        }
        let secrets = settings.secrets()?;
        let clock = Arc::new(SystemClock);
        let store = Arc::new(server::open_store(&settings, clock.clone(), Box::new(|_| {}))?);
        eprintln!("no server is running; using {dir}");
        let app = server::app(Arc::clone(&store), clock, &settings, secrets)?;
        let api = LocalApi::in_process(crate::api::routes(app));
        Ok(Self { runtime, api, opened: Some((store, data_dir)) })
    }

    /// Sends a request. An error answer becomes a failure with the sentence of the answer.
    pub(super) fn call(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<String, Failure> {
        let reply = self.try_call(method, path, body)?;
        if (200..300).contains(&reply.status) { Ok(reply.body) } else { Err(failure(&reply)) }
    }

    /// Sends a request and gives the answer, whatever its status.
    pub(super) fn try_call(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Reply, Failure> {
        let sent = self.runtime.block_on(self.api.send(method, path, body));
        sent.map_err(|message| Failure::new(1, message))
    }

    /// Sends a request whose answer is large.
    pub(super) fn open_stream(&mut self, method: &str, path: &str) -> Result<Stream<'_>, Failure> {
        let opened = self.runtime.block_on(self.api.open(method, path));
        match opened.map_err(|message| Failure::new(1, message))? {
            Ok(body) => Ok(Stream { runtime: &self.runtime, body, piece: Bytes::new() }),
            Err(reply) => Err(failure(&reply)),
        }
    }

    /// Closes the data, if it was opened.
    pub(super) fn close(self) -> Result<(), Failure> {
        if let Some((store, dir)) = self.opened {
            store.close()?;
            store::give_to_owner(&dir)?;
        }
        Ok(())
    }
}

/// An answer that is read as it arrives.
pub(super) struct Stream<'a> {
    runtime: &'a tokio::runtime::Runtime,
    body: Body,
    piece: Bytes,
}

impl Read for Stream<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        if self.piece.is_empty() {
            self.piece = self.runtime.block_on(next_piece(&mut self.body))?;
        }
        let size = bytes.len().min(self.piece.len());
        bytes[..size].copy_from_slice(&self.piece.split_to(size));
        Ok(size)
    }
}

/// The failure for an error answer: its sentence, and the exit code for its status.
pub(super) fn failure(reply: &Reply) -> Failure {
    let value: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    let message = match (value["message"].as_str(), &value["detail"]["json"]) {
        (Some(message), Value::Null) => message.trim_start_matches("Error: ").to_owned(),
        (Some(message), detail) => format!("{message}: {detail}"),
        (None, _) => reply.body.trim().to_owned(),
    };
    let code = match reply.status {
        409 => 3,
        422 => 2,
        423 => 4,
        _ => 1,
    };
    Failure::new(code, message)
}

/// A name as a path segment.
pub(super) fn segment(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}
