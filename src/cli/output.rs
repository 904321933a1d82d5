//! Lists: a table for people, JSON for programs.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde::Serialize;
use serde_json::Value;

use super::Failure;

/// Set when something could not be shown.
static UNSHOWN: AtomicBool = AtomicBool::new(false);

/// Prints a line on standard output. Unlike `println!` it does not panic when nobody reads any more (`list | head`).
/// The exit code reports that, because the line may have been a secret that is shown only once.
macro_rules! say {
    ($($words:tt)*) => {
        $crate::cli::output::line(format_args!($($words)*))
    };
}
pub(super) use say;

pub(super) fn line(words: fmt::Arguments<'_>) {
    if writeln!(io::stdout(), "{words}").is_err() {
        UNSHOWN.store(true, Ordering::Relaxed);
    }
}

/// Fails unless everything was shown.
pub(super) fn all_shown() -> Result<(), Failure> {
    if io::stdout().flush().is_err() || UNSHOWN.load(Ordering::Relaxed) {
        return Err(Failure::new(1, "standard output was closed, so not everything was shown"));
    }
    Ok(())
}

/// How a list is printed.
#[derive(Clone, Copy, clap::Args)]
pub(super) struct Format {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Format {
    /// Whether the output is for programs.
    pub(super) const fn json(self) -> bool {
        self.json
    }
}

/// Prints a value as JSON.
pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value);
    say!("{}", text.map_err(|error| Failure::new(1, error.to_string()))?);
    Ok(())
}

/// Prints a list from its JSON text. Each column of the table shows the member of that name.
pub(super) fn list(text: &str, format: Format, columns: &[&str]) -> Result<(), Failure> {
    if format.json {
        say!("{}", text.trim_end());
        return Ok(());
    }
    let rows: Vec<Value> = serde_json::from_str(text)
        .map_err(|error| Failure::new(1, format!("the server's answer is not a list: {error}")))?;
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(columns.iter().map(|name| name.to_uppercase().replace('_', " ")));
    for row in &rows {
        table.add_row(columns.iter().map(|name| cell(&row[*name])));
    }
    say!("{}", table.trim_fmt());
    Ok(())
}

/// A value as people read it, such as `q=5, *=1` or `a, b`.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Object(map) => {
            let pairs = map.iter().map(|(key, value)| format!("{key}={}", cell(value)));
            pairs.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}
