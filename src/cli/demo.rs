//! `demo`

use secrecy::ExposeSecret;

use super::Failure;
use super::output::say;
use crate::config::{Address, Filter, LogFormat, Logging, Mode, Span};
use crate::demo::{ADMIN, Demo, Error, Options};
use crate::logging;
use crate::server::{Asked, Signals};

/// Flags of `demo`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The address to listen on; port 0 picks a free port
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    listen: Address,
    /// What callers without a token may do: open, contributor or locked
    #[arg(long, value_name = "MODE", default_value = "open")]
    access: Mode,
    /// How long the lab has worked already when it is first seen
    #[arg(long, value_name = "TIME", default_value = "4h")]
    past: Span,
    /// How long an agent pauses after each step of its job
    #[arg(long, value_name = "TIME", default_value = "4s")]
    pace: Span,
    /// Which log lines are written: as the setting `log` of `serve`
    #[arg(long, value_name = "FILTER", default_value = "error")]
    log: Filter,
}

/// Runs a demo until Ctrl-C.
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let log = Logging { log: args.log.into(), log_format: LogFormat::Text };
    logging::init(&log).map_err(|message| Failure::new(2, message))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(1, error.to_string()))?;
    let options =
        Options { listen: args.listen, access: args.access, past: args.past.0, pace: args.pace.0 };
    runtime.block_on(demo(options))
}

async fn demo(options: Options) -> Result<(), Failure> {
    let mut signals = Signals::listen().map_err(|error| Failure::new(1, error.to_string()))?;
    eprintln!("starting the demo, which takes some seconds");
    let demo = tokio::select! {
        demo = Demo::start(options) => demo?,
        () = stopped(&mut signals) => return Ok(()),
    };
    say!("demo lab: {}", demo.url());
    say!("client: {ADMIN}");
    say!("secret: {}", demo.secret().expose_secret());
    eprintln!("Ctrl-C ends it and removes its data");
    stopped(&mut signals).await;
    Ok(demo.end().await?)
}

async fn stopped(signals: &mut Signals) {
    while !matches!(signals.next().await, Asked::Stop) {}
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Server(error) => error.into(),
            Error::Settings(error) => error.into(),
            other => Self::new(1, other.to_string()),
        }
    }
}
