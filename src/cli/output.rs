//! Lists: a table for people, JSON for programs.

use std::borrow::Cow;
use std::collections::BTreeMap;
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

/// Prints a line on standard error: what is done, and what went wrong.
macro_rules! tell {
    ($($words:tt)*) => {
        $crate::cli::output::notice(format_args!($($words)*))
    };
}
pub(super) use tell;

pub(super) fn line(words: fmt::Arguments<'_>) {
    if writeln!(io::stdout(), "{}", harmless(&words.to_string())).is_err() {
        UNSHOWN.store(true, Ordering::Relaxed);
    }
}

pub(super) fn notice(words: fmt::Arguments<'_>) {
    // Nobody may read it any more, and there is no other place to say so.
    let _ = writeln!(io::stderr(), "{}", harmless(&words.to_string()));
}

/// A text that makes a terminal do nothing but show it. Names of queues and agents come from anybody, and a control
/// character in one could hide lines or change what was typed. JSON stays the JSON that it was.
fn harmless(text: &str) -> Cow<'_, str> {
    let is_harmful = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_harmful(c) {
            let _ = fmt::Write::write_fmt(&mut shown, format_args!("\\u{:04x}", u32::from(c)));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
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
    let mut table = table(columns);
    for row in &rows {
        table.add_row(columns.iter().map(|name| cell(&row[*name])));
    }
    say!("{}", table.trim_fmt());
    Ok(())
}

/// A table without rows.
pub(super) fn table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(columns.iter().map(|name| name.to_uppercase().replace('_', " ")));
    table
}

/// Prints how many lines each file of an export has.
pub(super) fn lines(counts: &BTreeMap<String, u64>) {
    let mut table = table(&["file", "lines"]);
    for (name, count) in counts {
        table.add_row([format!("{name}.jsonl"), count.to_string()]);
    }
    say!("{}", table.trim_fmt());
}

/// A value as people read it, such as `q=5, *=1` or `a, b`.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        // A row is one line.
        Value::String(text) => text.replace('\n', "\\n").replace('\t', "\\t"),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Object(map) => {
            let pairs = map.iter().map(|(key, value)| format!("{key}={}", cell(value)));
            pairs.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_character_reaches_a_terminal_and_json_stays_json() {
        assert_eq!(harmless("a\tb\n\u{e9}"), "a\tb\n\u{e9}");
        assert_eq!(harmless("\u{1b}[2Jx\r\u{7f}\u{9b}"), r"\u001b[2Jx\u000d\u007f\u009b");
        let json = serde_json::to_string("\u{1b}\u{7f}\u{9b}").unwrap();
        let read: String = serde_json::from_str(&harmless(&json)).unwrap();
        assert_eq!(read, "\u{1b}\u{7f}\u{9b}");
    }
}
