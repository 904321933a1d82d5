//! Sends events to webhooks: one request within three seconds, without following redirects, and only to where the site
//! allows.
//!
//! The server sends the request on behalf of a caller who chose the URL, so the target is checked twice: the URL
//! against the list of origins, and every address that its name resolves to against those that only this machine can
//! reach. A name that resolves differently the second time (DNS rebinding) gains nothing, because the check sits in the
//! resolver.

mod target;

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use ureq::http::request::Builder;
use ureq::http::{Request, Uri};
use ureq::unversioned::transport::DefaultConnector;

pub use target::{Guard, Targets};

/// How long a webhook may take, from the look-up of its name to the last byte.
const TIMEOUT: Duration = Duration::from_secs(3);
/// At most this many bytes of an answer are passed on.
const MAX_ANSWER: u64 = 1 << 20;

/// What a webhook answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body as text.
    pub text: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This site does not allow the target.
    #[error("{0}")]
    Refused(&'static str),
    /// The webhook took longer than three seconds.
    #[error("Webhook Timeout")]
    Timeout,
    /// The webhook cannot be reached.
    #[error("Webhook unreachable")]
    Unreachable,
}

/// Sends events to webhooks. A call blocks until its request has ended.
pub struct Webhooks {
    targets: Targets,
    bearer: Option<SecretString>,
    agent: ureq::Agent,
}

impl Webhooks {
    /// Webhooks at these targets, with a bearer token if the site has one.
    #[must_use]
    pub fn new(targets: Targets, bearer: Option<SecretString>) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            // Otherwise the proxy variables of the environment would lead requests around the guard.
            .proxy(None)
            .user_agent(concat!("testflinger-server/", env!("CARGO_PKG_VERSION")))
            .build();
        // A secret goes only to where the site has said, not to whomever an agent names.
        let bearer = bearer.filter(|_| targets.are_listed());
        let agent = ureq::Agent::with_parts(config, DefaultConnector::new(), Guard::new(&targets));
        Self { targets, bearer, agent }
    }

    /// Whether the site allows a URL, as far as that can be said without looking up its name.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn allows(&self, url: &str) -> Result<(), Error> {
        self.allowed(url).map(|_| ())
    }

    fn allowed(&self, url: &str) -> Result<Uri, Error> {
        let uri: Uri = url.parse().map_err(|_| Error::Refused("Not a valid URL."))?;
        self.targets.check(&uri)?;
        Ok(uri)
    }

    /// Puts `body`, which is JSON, to `url`.
    pub fn put(&self, url: &str, body: &str) -> Result<Answer, Error> {
        self.send(Request::put(self.allowed(url)?), "application/json", body)
    }

    /// Posts `body`, which is of this content type, to `url`.
    pub fn post(&self, url: &str, kind: &str, body: &str) -> Result<Answer, Error> {
        self.send(Request::post(self.allowed(url)?), kind, body)
    }

    fn send(&self, request: Builder, kind: &str, body: &str) -> Result<Answer, Error> {
        let mut request = request.header("Content-Type", kind);
        if let Some(bearer) = &self.bearer {
            request = request.header("Authorization", format!("Bearer {}", bearer.expose_secret()));
        }
        let request = request.body(body).map_err(|_| Error::Refused("Not a valid URL."))?;
        let mut response = self.agent.run(request).map_err(|error| failure(&error))?;
        let status = response.status().as_u16();
        let read =
            response.body_mut().with_config().limit(MAX_ANSWER).lossy_utf8(true).read_to_string();
        Ok(Answer { status, text: read.map_err(|error| failure(&error))? })
    }
}

fn failure(error: &ureq::Error) -> Error {
    tracing::info!(%error, "a webhook did not answer");
    match error {
        ureq::Error::Timeout(_) => Error::Timeout,
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => Error::Timeout,
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Error::Refused(target::FORBIDDEN)
        }
        _ => Error::Unreachable,
    }
}
