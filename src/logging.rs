//! The server's own log lines, written to standard error as text or JSON.

use std::io::IsTerminal;

use rustix::fs::fstat;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
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
    let lines = match (settings.log_format, is_journal()) {
        (LogFormat::Text, false) => lines.with_target(false).boxed(),
        // The journal has a time of its own for every line.
        (LogFormat::Text, true) => {
            lines.with_target(false).without_time().map_event_format(Prioritised).boxed()
        }
        (LogFormat::Json, false) => lines.json().with_span_list(false).boxed(),
        (LogFormat::Json, true) => {
            lines.json().with_span_list(false).map_event_format(Prioritised).boxed()
        }
    };
    let begun = tracing_subscriber::registry().with(filter).with(lines).try_init();
    begun.map_err(|error| format!("log: {error}"))?;
    Ok(Reload(handle))
}

/// Lines that begin with the priority that the journal gives them (sd-daemon(3)).
struct Prioritised<F>(F);

impl<S, N, F> FormatEvent<S, N> for Prioritised<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        self.0.format_event(context, writer, event)
    }
}

/// Whether standard error leads to the journal: systemd names the stream in a variable, which children inherit even when
/// their output leads elsewhere.
fn is_journal() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
    fstat(std::io::stderr())
        .is_ok_and(|stream| named == format!("{}:{}", stream.st_dev, stream.st_ino))
}

fn filter(settings: &Logging) -> Result<EnvFilter, String> {
    EnvFilter::try_new(&settings.log).map_err(|error| format!("log: {error}"))
}

/// Whether lines are coloured: on a terminal, unless the variable `NO_COLOR` is set and not empty (no-color.org).
fn colours() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !unwanted
}
