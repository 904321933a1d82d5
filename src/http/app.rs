//! What every handler shares.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use ipnet::IpNet;
use secrecy::SecretString;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use super::error::ApiError;
use super::hold::Agents;
use crate::auth::jwt::{Incarnation, SigningKey};
use crate::auth::passwords::{self, Passwords, Verdict};
use crate::auth::throttle::Throttle;
use crate::domain::{Access, Clock, Timestamp};
use crate::ops;
use crate::store::{Client, ReadTx, Store, WriteTx};
use crate::webhook::{self, Webhooks};

/// How many webhooks are asked at the same time.
const WEBHOOKS: usize = 32;

/// How large requests may be, bytes, and how long they may be held.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A JSON body.
    pub json: u64,
    /// The JSON body of a result, which holds whole logs.
    pub result: u64,
    /// An uploaded file.
    pub upload: u64,
    /// How long a request for a job may be held, not bytes but time; zero for not at all.
    pub hold: Duration,
}

/// Who may do what, and how they prove it.
pub struct Auth {
    /// What callers without a token may do.
    pub access: Access,
    /// Signs access tokens.
    pub key: SigningKey,
    /// Hashes and checks secrets.
    pub passwords: Passwords,
    /// Slows down whoever guesses.
    pub throttle: Throttle,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub proxies: Vec<IpNet>,
    /// How long a refresh token lives without being used.
    pub refresh_idle: Duration,
    /// The name of the database that the clients are in.
    pub instance: String,
}

impl Auth {
    /// Which client of its name this is.
    #[must_use]
    pub fn since(&self, client: &Client) -> Incarnation {
        Incarnation { instance: self.instance.clone(), at: client.created_at.as_micros() }
    }
}

/// The application: what is shared by all requests. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Shared>);

struct Shared {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    auth: Auth,
    webhooks: Webhooks,
    turns: Semaphore,
    agents: Agents,
    stopping: CancellationToken,
    backup: Arc<Semaphore>,
}

impl App {
    /// An application on an opened store.
    #[must_use]
    pub fn new(
        store: Arc<Store>,
        clock: Arc<dyn Clock>,
        limits: Limits,
        auth: Auth,
        webhooks: Webhooks,
    ) -> Self {
        let turns = Semaphore::new(WEBHOOKS);
        let agents = Agents::new(clock.now());
        let stopping = CancellationToken::new();
        let backup = Arc::new(Semaphore::new(1));
        Self(Arc::new(Shared {
            store,
            clock,
            limits,
            auth,
            webhooks,
            turns,
            agents,
            stopping,
            backup,
        }))
    }

    /// How large requests may be.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.0.limits
    }

    /// Who may do what.
    #[must_use]
    pub fn auth(&self) -> &Auth {
        &self.0.auth
    }

    /// What is known of agents while the server runs.
    #[must_use]
    pub fn agents(&self) -> &Agents {
        &self.0.agents
    }

    /// Cancelled when the server accepts nothing more: held requests end then.
    #[must_use]
    pub fn stopping(&self) -> &CancellationToken {
        &self.0.stopping
    }

    /// The turn to make a backup; one at a time, since each reads everything.
    ///
    /// # Errors
    /// 423 while another is under way.
    pub fn backup_turn(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let busy = |_| ApiError::new(StatusCode::LOCKED, "another backup is under way");
        Arc::clone(&self.0.backup).try_acquire_owned().map_err(busy)
    }

    /// The store, for what is not a transaction: blobs.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.0.store
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Reads a few rows from a snapshot, on the caller's thread: a look-up takes microseconds and never waits for the
    /// writer.
    pub fn read<T, E>(&self, read: impl FnOnce(&ReadTx) -> Result<T, E>) -> Result<T, ApiError>
    where
        E: Into<ops::Error>,
    {
        let tx = self.0.store.read().map_err(ops::Error::from)?;
        Ok(read(&tx).map_err(Into::into)?)
    }

    /// Reads many rows from a snapshot, away from the threads that serve requests.
    pub async fn scan<T, E>(
        &self,
        read: impl FnOnce(&ReadTx) -> Result<T, E> + Send + 'static,
    ) -> Result<T, ApiError>
    where
        T: Send + 'static,
        E: Into<ops::Error>,
    {
        let app = self.clone();
        self.blocking(move || app.read(read)).await?
    }

    /// Runs a use case in the writer's next transaction and answers once it is on disk.
    pub async fn write<T>(
        &self,
        write: impl FnMut(&mut WriteTx<'_>, Timestamp) -> Result<T, ops::Error> + Send + 'static,
    ) -> Result<T, ApiError>
    where
        T: Send + 'static,
    {
        self.write_then(write, |_| ()).await
    }

    /// The same; `then` sees the outcome even when the request has ended meanwhile, which nothing stops that was begun.
    pub async fn write_then<T>(
        &self,
        write: impl FnMut(&mut WriteTx<'_>, Timestamp) -> Result<T, ops::Error> + Send + 'static,
        then: impl FnOnce(&Result<T, ops::Error>) + Send + 'static,
    ) -> Result<T, ApiError>
    where
        T: Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        self.0.store.submit(write, move |outcome| {
            then(&outcome);
            // The request may be gone; what it asked for is done all the same.
            let _ = sender.send(outcome);
        });
        let outcome = receiver.await.unwrap_or_else(|_| Err(crate::store::Error::Closed.into()));
        Ok(outcome?)
    }

    /// Hashes a secret.
    ///
    /// # Errors
    /// 503 while too many wait for the same.
    pub async fn hash(&self, secret: SecretString) -> Result<String, ApiError> {
        let app = self.clone();
        let hashed = self.blocking(move || app.auth().passwords.hash(&secret)).await?;
        hashed.map_err(|error| password_error(&error))
    }

    /// Checks a secret against a hash; no hash costs the same time and never matches.
    ///
    /// # Errors
    /// 503 while too many wait for the same.
    pub async fn verify(
        &self,
        hash: Option<String>,
        secret: SecretString,
    ) -> Result<Verdict, ApiError> {
        let app = self.clone();
        let verify = move || app.auth().passwords.verify(hash.as_deref(), &secret);
        match self.blocking(verify).await? {
            // Nobody can log in with such a hash; that must look like any other failure from outside.
            Err(error @ passwords::Error::Corrupt(_)) => {
                tracing::error!(%error, "a stored hash is unusable");
                Ok(Verdict::Mismatch)
            }
            verdict => verdict.map_err(|error| password_error(&error)),
        }
    }

    /// Sends a body to a webhook. Only so many at a time: a slow webhook must not take the threads that files and
    /// passwords need.
    ///
    /// # Errors
    /// Only when it panics; the inner error is the webhook's.
    pub async fn webhook(
        &self,
        url: String,
        body: String,
    ) -> Result<Result<webhook::Answer, webhook::Error>, ApiError> {
        let _turn = self.0.turns.acquire().await;
        let app = self.clone();
        self.blocking(move || app.0.webhooks.put(&url, &body)).await
    }

    /// Runs something that blocks (files) away from the threads that serve requests.
    ///
    /// # Errors
    /// Only when it panics.
    pub async fn blocking<T: Send + 'static>(
        &self,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        tokio::task::spawn_blocking(run)
            .await
            .map_err(|_| ApiError::from(ops::Error::from(crate::store::Error::Panicked)))
    }
}

fn password_error(error: &passwords::Error) -> ApiError {
    match error {
        passwords::Error::Busy => {
            let message = "Too many logins at once; try again";
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, message).retry_after(1)
        }
        passwords::Error::Empty => ApiError::bad_request("A secret must not be empty"),
        error => {
            tracing::error!(%error, "hashing failed");
            ApiError::internal()
        }
    }
}
