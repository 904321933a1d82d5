//! The server's own log lines, written to standard error as text or JSON.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, Logging};

/// Begins to write log lines. Call it once per process.
///
/// # Errors
/// A sentence that says what is wrong with the filter.
pub fn init(settings: &Logging) -> Result<(), String> {
    let filter = EnvFilter::try_new(&settings.log).map_err(|error| format!("log: {error}"))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match settings.log_format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().with_target(true).try_init(),
    }
    .map_err(|error| format!("log: {error}"))
}
