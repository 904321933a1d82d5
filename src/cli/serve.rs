//! `serve`

use std::net::TcpListener;
use std::path::PathBuf;

use super::{Failure, environment};
use crate::config::{Raw, Settings};
use crate::logging::{self, Reload};
use crate::server::{Asked, Manager, Server, Signals, activation};

/// Flags of `serve`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    settings: Raw,
    /// The configuration file [default: /etc/testflinger-server/config.toml if it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check the settings and the files that they name, and end
    #[arg(long)]
    check_settings: bool,
}

impl Args {
    fn load(&self) -> Result<Settings, Failure> {
        Ok(Settings::load(self.settings.clone(), self.config.as_deref(), &environment())?)
    }
}

/// Serves until SIGTERM or SIGINT.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let settings = args.load()?;
    if args.check_settings {
        return Ok(Server::check(&settings)?);
    }
    let log = logging::init(&settings.logging).map_err(|message| Failure::new(2, message))?;
    raise_open_files();
    let handed = activation::take();
    let handed = handed
        .map_err(|error| Failure::new(2, format!("the socket that was handed over: {error}")))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(1, error.to_string()))?;
    runtime.block_on(serve(args, &settings, &log, handed))
}

async fn serve(
    args: &Args,
    settings: &Settings,
    log: &Reload,
    handed: Option<TcpListener>,
) -> Result<(), Failure> {
    let mut signals = Signals::listen().map_err(|error| Failure::new(1, error.to_string()))?;
    let manager = Manager::from_env();
    manager.starting();
    let server = Server::bind_as_service(settings, handed, manager.clone()).await?;
    tracing::info!(data_dir = %settings.storage.data_dir.display(), "ready");
    manager.ready(&status(&server));
    loop {
        let asked = tokio::select! {
            failed = server.join() => return Ok(failed?),
            asked = signals.next() => asked,
        };
        match asked {
            Asked::Stop => break,
            Asked::Reload => {
                manager.reloading();
                match args.load() {
                    Ok(settings) => take_over(&server, &settings, log),
                    Err(failure) => tracing::error!(
                        "SIGHUP: the settings stay as they are, because they cannot be read: {}",
                        failure.message
                    ),
                }
                manager.ready(&status(&server));
            }
        }
    }
    manager.stopping();
    server.shutdown().await?;
    tracing::info!("stopped");
    Ok(())
}

/// What cannot change while the server runs is left alone.
fn take_over(server: &Server, settings: &Settings, log: &Reload) {
    if let Err(message) = log.filter(&settings.logging) {
        tracing::error!("SIGHUP: {message}");
    }
    server.reload(settings);
    tracing::info!(
        "SIGHUP: log, retention and the size of requests were read again; other settings need a restart"
    );
}

fn status(server: &Server) -> String {
    format!("Serving on {}", server.addr())
}

/// Allows as many open files as the system permits, because every agent holds a connection.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if setrlimit(Resource::Nofile, wanted).is_err() {
        tracing::debug!("the limit of open files stays as it is");
    }
}
