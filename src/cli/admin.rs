//! How admin commands reach the data: over the admin socket of a running server, or else in the data directory itself.
//! Both ways lead to the same router.

use std::io::ErrorKind::{ConnectionRefused, NotFound};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Runtime;

use super::copy::Copy;
use super::output::tell;
use super::{Failure, SERVICE, SERVICE_DATA, environment};
use crate::auth::refresh::generate_secret;
use crate::config::{Raw, Secrets, Settings};
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
        Ok(Settings::of_data(self.data_dir, self.config.as_deref(), &environment())?)
    }

    /// All settings of the server there, with the keys that seal its secrets.
    pub(super) fn settings_with_keys(self) -> Result<Settings, Failure> {
        let mut settings = self.all_settings()?;
        if settings.storage.data_dir == Path::new(SERVICE_DATA) {
            settings.secrets.secrets_key_file.or_credential_of(SERVICE);
            settings.secrets.secrets_old_key_file.or_credential_of(SERVICE);
        }
        Ok(settings)
    }

    /// All settings of the server there.
    fn all_settings(self) -> Result<Settings, Failure> {
        let flags = Raw { data_dir: self.data_dir, ..Raw::default() };
        Ok(Settings::load(flags, self.config.as_deref(), &environment())?)
    }
}

/// What to do when there is no data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Create a database in a directory that exists, because the first client may be created before the first start.
    Create,
    /// Create the directory, too.
    Init,
    /// Answer as if there were no client and no queue, and create nothing.
    Nothing,
    /// Fail, because a mistyped directory must not become an empty database.
    Refuse,
}

/// A connection to the data as its administrator.
pub(super) struct Admin {
    runtime: Runtime,
    api: LocalApi,
    opened: Option<(Arc<store::Store>, PathBuf)>,
    /// What was opened instead of data that cannot be written.
    copy: Option<Copy>,
}

impl Admin {
    /// Connects to the server or opens its data, and says on standard error which of the two.
    pub(super) fn open(place: Place, missing: Missing) -> Result<Self, Failure> {
        Self::open_with(&place.settings()?, missing, |_| no_secrets())
    }

    /// The same for a command that needs what the server's settings say of more than the place.
    ///
    /// # Errors
    /// Exit code 2 for a setting; also what [`Self::open`] says.
    pub(super) fn open_with_settings(place: Place, missing: Missing) -> Result<Self, Failure> {
        Self::open_with(&place.all_settings()?, missing, |_| no_secrets())
    }

    /// The same for a command that seals secrets: on a stopped server it needs the keys that the server's settings name.
    ///
    /// # Errors
    /// Exit code 2 for a setting; also what [`Self::open`] says.
    pub(super) fn open_with_keys(place: Place) -> Result<Self, Failure> {
        Self::open_with(&place.settings_with_keys()?, Missing::Refuse, |settings| {
            Ok(Secrets {
                secrets_key: settings.secrets.secrets_key_file.read()?,
                secrets_old_key: settings.secrets.secrets_old_key_file.read()?,
                ..no_secrets()?
            })
        })
    }

    fn open_with(
        settings: &Settings,
        missing: Missing,
        secrets: impl FnOnce(&Settings) -> Result<Secrets, Failure>,
    ) -> Result<Self, Failure> {
        let runtime = match Self::running(settings)? {
            Ok(admin) => return Ok(admin),
            Err(runtime) => runtime,
        };
        let data_dir = settings.storage.data_dir.clone();
        let dir = data_dir.display();
        if !is_there(&data_dir, missing)? {
            tell!("there is no data in {dir} yet");
            return Ok(Self { runtime, api: LocalApi::empty(), opened: None, copy: None });
        }
        let mut secrets = secrets(settings)?;
        if !data_dir.join(store::DATABASE).exists() {
            // The key that the server will sign with is made with the data: if it is absent later, it was lost.
            secrets.jwt_signing_key = None;
        }
        let clock = Arc::new(SystemClock);
        let copy = Copy::of(&data_dir)?;
        let mut own = settings.clone();
        if let Some(copy) = &copy {
            copy.dir.clone_into(&mut own.storage.data_dir);
        }
        let settings = &own;
        let store = Arc::new(server::open_store(settings, clock.clone(), Box::new(|_| {}))?);
        match &copy {
            None => tell!("no server is running; using {dir}"),
            Some(_) => tell!("{dir} is on a read-only file system; using a copy of its database"),
        }
        let app = server::app(Arc::clone(&store), clock, settings, secrets)?;
        let api = LocalApi::in_process(crate::api::routes(app));
        let opened = Some((store, settings.storage.data_dir.clone()));
        Ok(Self { runtime, api, opened, copy })
    }

    /// Connects to the server, if one runs, and says so on standard error.
    pub(super) fn of_running(settings: &Settings) -> Result<Option<Self>, Failure> {
        Ok(Self::running(settings)?.ok())
    }

    fn running(settings: &Settings) -> Result<Result<Self, Runtime>, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(1, error.to_string()))?;
        let data_dir = &settings.storage.data_dir;
        let socket = data_dir.join(server::SOCKET);
        match runtime.block_on(greet(&socket)) {
            Ok(api) => {
                tell!("using the running server of {}", data_dir.display());
                Ok(Ok(Self { runtime, api, opened: None, copy: None }))
            }
            Err(error) if matches!(error.kind(), NotFound | ConnectionRefused) => Ok(Err(runtime)),
            Err(error) => Err(Failure::file(&socket, &error)),
        }
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
        if self.copy.is_some() && method != "GET" {
            let why = "the data is on a read-only file system, so nothing of it can be changed";
            return Err(Failure::new(1, why));
        }
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

    /// Whether a server runs.
    pub(super) const fn is_running(&self) -> bool {
        self.opened.is_none() && self.copy.is_none()
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

/// How long a server may take to answer on its socket. A healthy one needs milliseconds.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Connects to a running server, and sees that it answers.
async fn greet(socket: &Path) -> io::Result<LocalApi> {
    let greeted = async {
        let mut api = LocalApi::connect(socket).await?;
        api.send("GET", "/v1", None).await.map_err(io::Error::other)?;
        Ok(api)
    };
    tokio::time::timeout(ANSWERS_WITHIN, greeted).await.unwrap_or_else(|_| {
        let seconds = ANSWERS_WITHIN.as_secs();
        Err(io::Error::other(format!(
            "a server is running, but it did not answer within {seconds} s"
        )))
    })
}

/// Whether there is data, or will be when it is opened. Fails when there must be data.
fn is_there(data_dir: &Path, missing: Missing) -> Result<bool, Failure> {
    // What may not be looked at is an error, and not absent.
    let exists = |path: &Path| path.try_exists().map_err(|error| Failure::file(path, &error));
    let dir = data_dir.display();
    match missing {
        _ if exists(&data_dir.join(store::DATABASE))? => Ok(true),
        Missing::Init => Ok(true),
        Missing::Create if exists(data_dir)? => Ok(true),
        Missing::Create => {
            let help = "correct --data-dir, or create the directory with --init";
            Err(Failure::new(1, format!("{dir} does not exist: {help}")))
        }
        Missing::Nothing => Ok(false),
        Missing::Refuse => Err(store::Error::NoData(data_dir.to_owned()).into()),
    }
}

/// Secrets of an application that only this process uses. It issues no token, so its key need not be the server's.
fn no_secrets() -> Result<Secrets, Failure> {
    let key = generate_secret()
        .map_err(|error| Failure::new(1, format!("the system gave no random numbers: {error}")))?;
    Ok(Secrets {
        jwt_signing_key: Some(key),
        webhook_auth: None,
        secrets_key: None,
        secrets_old_key: None,
    })
}

/// An answer that is read as it arrives.
pub(super) struct Stream<'a> {
    runtime: &'a Runtime,
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
