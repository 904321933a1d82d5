//! A running server: bound, joined, shut down.

pub mod activation;
mod admin;
mod alarm;
mod assemble;
mod connection;
mod doors;
mod hints;
mod keys;
mod leases;
mod notify;
mod paced;
mod signals;
mod sweeper;
mod tls;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use admin::SOCKET;
pub use assemble::{app, sealing_key};
pub use notify::Manager;
pub use signals::{Asked, Signals};

use self::assemble::{alerts, limits, retention};
use self::connection::{Network, Service};
use self::doors::Doors;
use self::tls::Tls;
use crate::api;
use crate::app::App;
use crate::auth::passwords;
use crate::config::{self, Secrets, Settings};
use crate::domain::{Clock, SystemClock};
use crate::pages::{self, Readers};
use crate::store::{self, Options, Store};

/// Why a server does not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A secret cannot be read.
    #[error(transparent)]
    Secret(#[from] config::Error),
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {source}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The store cannot be opened or closed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A key cannot be read or made.
    #[error(transparent)]
    Key(#[from] keys::Error),
    /// There is no certificate to serve with.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// A secret would go to whomever an agent names.
    #[error("webhook_auth is set without webhook_url: list the origins that may have the token")]
    WebhookAuth,
    /// There is not enough memory for hashing passwords, or the like.
    #[error("passwords cannot be hashed: {0}")]
    Passwords(#[from] passwords::Error),
    /// A write failed, so that nobody knows what the disk holds.
    #[error("the database could not be written: {why}")]
    Fatal {
        /// What the store said.
        why: String,
        /// The disk was full.
        disk_full: bool,
    },
}

/// How many connections the port for metrics serves at the same time.
const PROBES: usize = 64;

/// What the store said when it could not write, and whether the disk was full.
type Fatal = (String, bool);

/// A server that accepts requests until it is shut down.
pub struct Server {
    addr: SocketAddr,
    metrics_addr: Option<SocketAddr>,
    store: Arc<Store>,
    stop: CancellationToken,
    abort: CancellationToken,
    tasks: TaskTracker,
    shutdown_timeout: Duration,
    data_dir: PathBuf,
    fatal: watch::Receiver<Option<Fatal>>,
    tls: Option<Tls>,
    app: App,
}

impl Server {
    /// Whether a server would accept the settings and the files that they name, apart from the data directory.
    ///
    /// # Errors
    /// What [`Server::bind`] would say.
    pub fn check(settings: &Settings) -> Result<(), Error> {
        read_files(settings).map(|_| ())
    }

    /// Opens the data directory and listens; returns when requests are accepted.
    pub async fn bind(settings: &Settings) -> Result<Self, Error> {
        Self::start(settings, Arc::new(SystemClock), None, Manager::default()).await
    }

    /// The same as a service: on a socket that is handed over, if there is one, and with a manager that watches.
    ///
    /// # Errors
    /// As [`Server::bind`].
    pub async fn bind_as_service(
        settings: &Settings,
        handed: Option<std::net::TcpListener>,
        manager: Manager,
    ) -> Result<Self, Error> {
        Self::start(settings, Arc::new(SystemClock), handed, manager).await
    }

    /// The same with a clock of the caller's.
    pub async fn bind_with_clock(
        settings: &Settings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        Self::start(settings, clock, None, Manager::default()).await
    }

    async fn start(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        handed: Option<std::net::TcpListener>,
        manager: Manager,
    ) -> Result<Self, Error> {
        let (secrets, tls) = read_files(settings)?;
        keys::check_owners(&settings.storage.data_dir)?;
        if secrets.jwt_signing_key.is_none() && keys::is_lost(&settings.storage.data_dir) {
            tracing::warn!(
                "the key that signs tokens is missing beside data that is older: a new one is made, and clients \
                 must ask for new access tokens"
            );
        }
        let (failed, fatal) = watch::channel(None);
        let store = Arc::new(open(settings, Arc::clone(&clock), failed).await?);
        // Makes the keys that a new data directory lacks: whatever fails later, they are not missing at the next start.
        let app = app(Arc::clone(&store), clock, settings, secrets)?;
        let was_handed = handed.is_some();
        let listener = listen(settings.network.listen, handed).await?;
        let addr = listener
            .local_addr()
            .map_err(|source| Error::Listen { addr: settings.network.listen, source })?;
        let probes = match settings.metrics.metrics_port {
            Some(port) => Some(listen((addr.ip(), port).into(), None).await?),
            None => None,
        };
        let metrics_addr = probes.as_ref().and_then(|listener| listener.local_addr().ok());
        let admin = admin::listen(&settings.storage.data_dir)?;
        app.watch_store().map_err(|_| store::Error::Closed)?;
        let server = Self {
            addr,
            metrics_addr,
            store,
            stop: app.stopping().clone(),
            abort: CancellationToken::new(),
            tasks: TaskTracker::new(),
            shutdown_timeout: settings.network.shutdown_timeout,
            data_dir: settings.storage.data_dir.clone(),
            fatal,
            tls: tls.clone(),
            app: app.clone(),
        };
        let router = api::routes(app.clone()).merge(web_pages(&app, settings.pages.pages));
        let service = Service { router, app: app.clone() };
        let doors = Doors::new(app.clone(), settings.network.max_connections);
        let scheme = if tls.is_some() { "https" } else { "http" };
        server.accept(Network { listener, doors, tls }, service.clone());
        server.accept(admin, service);
        if let Some(listener) = probes {
            let service = Service { router: api::probes(app.clone()), app: app.clone() };
            let doors = Doors::new(app.clone(), PROBES);
            server.accept(Network { listener, doors, tls: None }, service);
        }
        // The first line: whoever starts the server on port 0 reads the port there.
        tracing::info!("listening on {scheme}://{addr}");
        if let Some(addr) = metrics_addr {
            tracing::info!("metrics on http://{addr}/metrics");
        }
        if was_handed && addr != settings.network.listen {
            tracing::info!(
                "the service manager chose this address: listen = {} is not used",
                settings.network.listen
            );
        }
        hints::hint_at_first_admin(&app, &settings.storage.data_dir);
        hints::warn_of_drain(&app);
        server.tasks.spawn(manager.watch(app.clone(), server.stop.clone()));
        app.warn_of_unreadable_secrets().await;
        server.tasks.spawn(leases::watch(
            app.clone(),
            settings.agents.clone(),
            server.stop.clone(),
        ));
        hints::warn_of_strangers(settings.auth.access, addr);
        hints::log_retention(&settings.retention);
        let sender = app.clone();
        server.tasks.spawn(async move { sender.send_notices().await });
        if let Some(alerts) = alerts(settings) {
            server.tasks.spawn(alarm::watch(app.clone(), alerts, server.stop.clone()));
        }
        server.tasks.spawn(sweeper::sweep(app, server.stop.clone()));
        Ok(server)
    }

    /// The address that the server listens on.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The address of the port for metrics, if there is one.
    #[must_use]
    pub const fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics_addr
    }

    fn accept(&self, listener: impl connection::Listen + Send + Sync + 'static, service: Service) {
        let tokens = (self.stop.clone(), self.abort.clone());
        let accepting = connection::accept(listener, service, self.tasks.clone(), tokens);
        self.tasks.spawn(accepting);
    }

    /// Takes over the settings that can change while the server runs: retention, the size of requests and the certificate.
    pub fn reload(&self, settings: &Settings) {
        match self.tls.as_ref().map(|tls| tls.reload(&settings.network)) {
            None => {}
            Some(Ok(())) => tracing::info!("new connections get the certificate that was read now"),
            Some(Err(error)) => tracing::error!("the certificate stays as it is: {error}"),
        }
        self.app.set_limits(limits(settings));
        self.app.set_retention(retention(&settings.retention));
        hints::log_retention(&settings.retention);
    }

    /// Waits until the server can no longer work.
    ///
    /// # Errors
    /// Always; [`Server::shutdown`] is how it ends well.
    pub async fn join(&self) -> Result<(), Error> {
        let mut fatal = self.fatal.clone();
        let (why, disk_full) = match fatal.wait_for(Option::is_some).await {
            Ok(said) => said.clone().unwrap_or_default(),
            Err(_) => ("the writer is gone".to_owned(), false),
        };
        Err(Error::Fatal { why, disk_full })
    }

    /// Accepts nothing more, lets requests in flight finish until the deadline, and closes the store.
    ///
    /// # Errors
    /// What the disk says while the store is closed.
    pub async fn shutdown(self) -> Result<(), Error> {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(self.shutdown_timeout, self.tasks.wait()).await.is_err() {
            tracing::warn!("requests were still in flight at the deadline; they are broken off");
            self.abort.cancel();
            self.tasks.wait().await;
        }
        admin::remove(&self.data_dir);
        let store = Arc::clone(&self.store);
        let closed = tokio::task::spawn_blocking(move || store.close()).await;
        closed.unwrap_or(Err(store::Error::Panicked))?;
        Ok(())
    }
}

/// The secrets and the certificate that the settings name.
fn read_files(settings: &Settings) -> Result<(Secrets, Option<Tls>), Error> {
    let secrets = settings.secrets()?;
    if secrets.webhook_auth.is_some() && settings.webhooks.webhook_url.is_empty() {
        return Err(Error::WebhookAuth);
    }
    Ok((secrets, Tls::from(&settings.network)?))
}

/// What people see in a browser.
fn web_pages(app: &App, who: config::Pages) -> axum::Router {
    let readers = match who {
        config::Pages::Auto => Readers::WithoutToken,
        config::Pages::Login => Readers::LoggedIn,
        config::Pages::ReadOnly => Readers::All,
        config::Pages::Off => return axum::Router::new(),
    };
    pages::routes(app.clone(), readers)
}

/// Opens the store of a data directory, which is created if need be.
pub fn open_store(
    settings: &Settings,
    clock: Arc<dyn Clock>,
    on_fatal: store::OnFatal,
) -> Result<Store, store::Error> {
    let storage = &settings.storage;
    store::create_private(&storage.data_dir)?;
    close_to_others(&storage.data_dir);
    // An address space that is too small for the cache is too small for everything else, too.
    let cache = usize::try_from(storage.cache_size).unwrap_or(usize::MAX);
    Store::open(&storage.data_dir, Options { cache, clock, on_fatal })
}

/// Takes the rights of others on the data directory away, whoever made it with which mode.
fn close_to_others(dir: &Path) {
    let closed = std::fs::metadata(dir).and_then(|found| {
        let mode = found.permissions().mode() & 0o7777;
        let closed = mode & !0o077;
        if mode == closed {
            return Ok(());
        }
        let mut permissions = found.permissions();
        permissions.set_mode(closed);
        std::fs::set_permissions(dir, permissions)
    });
    if let Err(error) = closed {
        tracing::warn!(dir = %dir.display(), %error, "others may look into the data directory");
    }
}

async fn open(
    settings: &Settings,
    clock: Arc<dyn Clock>,
    failed: watch::Sender<Option<Fatal>>,
) -> Result<Store, Error> {
    let settings = settings.clone();
    let opened = tokio::task::spawn_blocking(move || {
        let on_fatal = Box::new(move |error: &store::Error| {
            failed.send_replace(Some((error.to_string(), error.is_disk_full())));
        });
        open_store(&settings, clock, on_fatal)
    });
    Ok(opened.await.unwrap_or(Err(store::Error::Panicked))?)
}

/// Listens where the settings say, unless a socket was handed over: that one lasts longer than this process.
async fn listen(
    addr: SocketAddr,
    handed: Option<std::net::TcpListener>,
) -> Result<TcpListener, Error> {
    let listener = match handed {
        Some(handed) => TcpListener::from_std(handed),
        None => TcpListener::bind(addr).await,
    };
    listener.map_err(|source| Error::Listen { addr, source })
}
