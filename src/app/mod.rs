//! The running application, without HTTP: the store and who may use it, which agents are there, claims that wait.
//!
//! Everything that serves somebody uses an [`App`]: the API, and the tasks that look after leases and retention. What went
//! wrong is an [`Error`]; the HTTP layer alone turns that into an answer.

mod alerts;
mod apart;
pub mod audit;
mod bells;
pub mod budget;
mod claim;
mod error;
mod login;
mod masking;
mod outbox;
mod presence;
mod ready;
mod recent;
mod retention;
mod secrets;
mod session;
mod shares;
mod slow_login;
mod status;
mod watch;
mod watch_job;
mod watch_lab;
mod writing;

use std::io::Write;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::Span;

use self::watch::Watch;
pub use alerts::Alerts;
pub use apart::apart;
pub use budget::Budget;
pub use claim::Delivery;
pub use error::{Error, Result};
pub use login::TOKEN_LIFETIME;
pub use presence::Presence;
pub use ready::Unready;
pub use retention::{Collected, Retention};
pub use secrets::{KeyFile, Masks, SecretKeys, SecretValues};
pub use session::SESSION_LIFETIME;
pub use shares::{Share, Shares};
pub use status::{Status, version};
pub use watch_job::{JobNews, JobWatch};
pub use watch_lab::{LabNews, LabWatch, Told};

use crate::auth::jwt::{Incarnation, SigningKey};
use crate::auth::passwords::Passwords;
use crate::auth::refresh::RefreshToken;
use crate::auth::throttle::Throttle;
use crate::domain::{Access, AgentName, Client, Clock, Form, Guarded, Message, Timestamp};
use crate::ops::{self, Hearing};
use crate::store::{self, ReadTx, Store};
use crate::webhook::{self, Webhooks};
use watch_lab::Publisher;

/// How many webhooks are asked at the same time.
const WEBHOOKS: usize = 32;

/// How many things that may be large are read at the same time.
const LARGE: usize = 2;

/// How large requests may be, bytes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A JSON body.
    pub json: u64,
    /// The JSON body of a result, which holds whole logs.
    pub result: u64,
    /// An uploaded file.
    pub upload: u64,
    /// All request bodies and answers in flight, together.
    pub in_flight: u64,
    /// Bytes of disk that are left for the database: below this, uploads and large bodies are refused.
    pub disk_reserve: u64,
}

/// Who may do what, and how they prove it.
pub struct Auth {
    /// What callers without a token may do.
    pub access: Access,
    /// Which jobs of clients they may not act on.
    pub guarded: Guarded,
    /// Signs access tokens.
    pub key: SigningKey,
    /// Hashes and checks secrets.
    pub passwords: Passwords,
    /// Slows down whoever guesses.
    pub throttle: Throttle,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub proxies: Vec<IpNet>,
    /// The names of this server, in lower case, by which browsers may call it.
    pub hosts: Vec<String>,
    /// How long a refresh token lives without being used.
    pub refresh_idle: Duration,
    /// The name of the database that the clients are in.
    pub instance: String,
}

impl Auth {
    /// Whether an address is a proxy whose `X-Forwarded-For` is believed.
    #[must_use]
    pub fn is_proxy(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.proxies.iter().any(|net| net.contains(&address))
    }

    /// Identifies this incarnation of the client: another client may have had its name before.
    #[must_use]
    pub fn incarnation(&self, client: &Client) -> Incarnation {
        Incarnation {
            instance: self.instance.clone(),
            at: client.created_at.as_micros(),
            secret: Some(generation(&client.secret_hash)),
        }
    }
}

/// A number for a secret, from its salted hash. It is not secret: nothing can be guessed from 32 bits of it.
fn generation(secret_hash: &str) -> u32 {
    let [a, b, c, d, ..] = RefreshToken::digest_of(secret_hash);
    u32::from_be_bytes([a, b, c, d])
}

/// What an application is made of, besides its store and clock.
pub struct Parts {
    /// How large requests may be at the start.
    pub limits: Limits,
    /// What is kept at the start.
    pub retention: Retention,
    /// How long a request for a job may be held; zero for not at all.
    pub longest_hold: Duration,
    /// How many may watch a job or the lab at the same time.
    pub watchers: usize,
    /// How long an agent must be silent before that is noticed.
    pub silence: Duration,
    /// How long an agent must be silent before it is lost.
    pub lost_after: Duration,
    /// How old the newest verified backup may become; zero for any age.
    pub backup_age: Duration,
    /// After how many failed provisionings in a row an agent is set aside; 0 for never.
    pub quarantine_after: u64,
    /// Who may do what.
    pub auth: Auth,
    /// Where events go.
    pub webhooks: Webhooks,
    /// Whether events are written down and sent until they are taken.
    pub keep_events: bool,
    /// Sends alerts.
    pub alerts: Webhooks,
    /// Seals secrets.
    pub secrets: SecretKeys,
    /// How many queues have metrics of their own.
    pub metrics_queues: usize,
}

/// The application: what all requests and tasks share. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Shared>);

struct Shared {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    parts: Parts,
    limits: RwLock<Limits>,
    retention: RwLock<Retention>,
    collecting: tokio::sync::Mutex<()>,
    budget: Budget,
    judged: Notify,
    slow_login: Arc<Semaphore>,
    turns: Semaphore,
    notices: Notify,
    large: Semaphore,
    presence: Presence,
    publisher: Arc<Publisher>,
    stopping: CancellationToken,
    backup: Arc<Semaphore>,
    watch: Watch,
}

impl App {
    /// An application on an opened store.
    #[must_use]
    pub fn new(store: Arc<Store>, clock: Arc<dyn Clock>, parts: Parts) -> Self {
        Self(Arc::new(Shared {
            presence: Presence::new(&*clock),
            publisher: Arc::new(Publisher::new(parts.watchers)),
            budget: Budget::new(parts.limits.in_flight),
            judged: Notify::new(),
            slow_login: Arc::new(Semaphore::new(1)),
            watch: Watch::new(parts.metrics_queues),
            store,
            clock,
            limits: RwLock::new(parts.limits),
            retention: RwLock::new(parts.retention.clone()),
            collecting: tokio::sync::Mutex::default(),
            parts,
            turns: Semaphore::new(WEBHOOKS),
            notices: Notify::new(),
            large: Semaphore::new(LARGE),
            stopping: CancellationToken::new(),
            backup: Arc::new(Semaphore::new(1)),
        }))
    }

    /// How large requests may be.
    #[must_use]
    pub fn limits(&self) -> Limits {
        *self.0.limits.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes in flight.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.0.budget
    }

    /// How long a request for a job may be held; zero for not at all.
    #[must_use]
    pub fn longest_hold(&self) -> Duration {
        self.0.parts.longest_hold
    }

    /// After how many failed provisionings in a row an agent is set aside; 0 for never.
    #[must_use]
    pub fn quarantine_after(&self) -> u64 {
        self.0.parts.quarantine_after
    }

    /// When agents were last heard, as use cases ask for it.
    #[must_use]
    pub fn hearing(&self) -> Hearing<impl Fn(&AgentName) -> Timestamp + Send + use<>> {
        let app = self.clone();
        // Takes in that the clock was set.
        let _ = self.listening();
        let heard = move |agent: &AgentName| app.presence().last_heard(agent);
        Hearing { heard, silence: self.0.parts.silence }
    }

    /// Changes how large requests may be, from the next request on.
    pub fn set_limits(&self, limits: Limits) {
        *self.0.limits.write().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    /// Who may do what.
    #[must_use]
    pub fn auth(&self) -> &Auth {
        &self.0.parts.auth
    }

    fn secret_keys(&self) -> &SecretKeys {
        &self.0.parts.secrets
    }

    /// What is known of agents while the server runs.
    #[must_use]
    pub fn presence(&self) -> &Presence {
        &self.0.presence
    }

    fn publisher(&self) -> &Publisher {
        &self.0.publisher
    }

    /// Cancelled when the server accepts nothing more: held requests and streams end then.
    #[must_use]
    pub fn stopping(&self) -> &CancellationToken {
        &self.0.stopping
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

    /// Notes that an agent has sent a request.
    pub fn hear(&self, agent: &AgentName) {
        self.presence().hear(agent, &*self.0.clock);
    }

    /// The time, and since when anybody could be heard by the clock that tells it.
    #[must_use]
    pub fn listening(&self) -> (Timestamp, Timestamp) {
        self.presence().listening(&*self.0.clock)
    }

    /// Reads a few rows from a snapshot, on the caller's thread: a look-up takes microseconds and never waits for the
    /// writer.
    pub fn read<T, E>(&self, read: impl FnOnce(&ReadTx) -> std::result::Result<T, E>) -> Result<T>
    where
        E: Into<ops::Error>,
    {
        let tx = self.0.store.read()?;
        Ok(read(&tx).map_err(Into::into)?)
    }

    /// Reads many rows from a snapshot, away from the threads that serve requests.
    pub async fn scan<T, E>(
        &self,
        read: impl FnOnce(&ReadTx) -> std::result::Result<T, E> + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        E: Into<ops::Error>,
    {
        let app = self.clone();
        self.blocking(move || app.read(read)).await?
    }

    /// The same for what may be large, a few at a time: it counts for the budget only once it is there.
    pub async fn read_large<T, E>(
        &self,
        read: impl FnOnce(&ReadTx) -> std::result::Result<T, E> + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        E: Into<ops::Error>,
    {
        let _turn = self.0.large.acquire().await;
        self.scan(read).await
    }

    /// Checks everything as it is now, and stops when the server does.
    pub async fn check(&self, hash: bool) -> Result<store::check::Report> {
        let (app, turn) = (self.clone(), self.backup_turn()?);
        let (tell, told) = oneshot::channel();
        apart("check", move || {
            let report = app.store().check(hash, &|| !app.stopping().is_cancelled());
            drop(turn);
            let _ = tell.send(report);
        })?;
        Ok(told.await.map_err(|_| Error::from(store::Error::Panicked))??)
    }

    /// The turn to make a backup or a check; one at a time, because each reads everything.
    pub fn backup_turn(&self) -> Result<OwnedSemaphorePermit> {
        Arc::clone(&self.0.backup).try_acquire_owned().map_err(|_| Error::BackupUnderWay)
    }

    /// Writes a backup to `out`. What stops it is logged, and said at the end of what was written.
    pub fn backup(&self, what: store::backup::What, out: impl Write) {
        if let Err(error) = self.0.store.backup(what, self.now(), out) {
            tracing::warn!(%error, "nobody took the backup any more");
        }
    }

    /// Notes that a backup was made.
    pub async fn note_backup(&self, note: store::backup::Note) -> Result<()> {
        let app = self.clone();
        Ok(self.blocking(move || app.store().note_backup(note)).await??)
    }

    /// Sends an event to a webhook, or an alert to where the site wants it. Only so many are asked at a time: a slow webhook
    /// must not take the threads that files and passwords need.
    pub async fn send(
        &self,
        Message { form, url, body }: Message,
    ) -> Result<std::result::Result<webhook::Answer, webhook::Error>> {
        let _turn = self.0.turns.acquire().await;
        let app = self.clone();
        let send = move || match (form, &app.0.parts) {
            (Form::Event, parts) => parts.webhooks.put(&url, &body),
            (Form::Json, parts) => parts.alerts.post(&url, "application/json", &body),
            (Form::Text, parts) => parts.alerts.post(&url, "text/plain; charset=utf-8", &body),
        };
        self.blocking(send).await
    }

    /// Runs something that blocks (files) away from the threads that serve requests. Fails only when it panics.
    pub async fn blocking<T: Send + 'static>(
        &self,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let panicked = |_| store::Error::Panicked.into();
        let span = Span::current();
        tokio::task::spawn_blocking(move || span.in_scope(run)).await.map_err(panicked)
    }
}
