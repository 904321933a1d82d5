//! The server's own log lines, written to standard error as text or JSON.

use std::io::IsTerminal;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::config::{LogFormat, Logging};

/// Changes which lines are written.
pub struct Reload(reload::Handle<EnvFilter, Registry>);

impl Reload {
    /// Writes the lines that `settings` want from now on.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the filter.
    pub fn filter(&self, settings: &Logging) -> Result<(), String> {
        self.0.reload(filter(settings)?).map_err(|error| format!("log: {error}"))
    }
}

/// Begins to write log lines. Call it once per process.
///
/// # Errors
/// A sentence that says what is wrong with the filter.
pub fn init(settings: &Logging) -> Result<Reload, String> {
    let (filter, handle) = reload::Layer::new(filter(settings)?);
    let lines = fmt::layer().with_ansi(colours()).with_writer(std::io::stderr);
    let lines = match settings.log_format {
        LogFormat::Text => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let begun = tracing_subscriber::registry().with(filter).with(lines).try_init();
    begun.map_err(|error| format!("log: {error}"))?;
    Ok(Reload(handle))
}

fn filter(settings: &Logging) -> Result<EnvFilter, String> {
    EnvFilter::try_new(&settings.log).map_err(|error| format!("log: {error}"))
}

/// Whether lines are coloured: on a terminal, unless the variable `NO_COLOR` is set and not empty (no-color.org).
fn colours() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !unwanted
}
