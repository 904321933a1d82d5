//! Lists: a table for people, JSON for programs.

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::Value;

use super::Failure;

/// How a list is printed.
#[derive(Clone, Copy, clap::Args)]
pub(super) struct Format {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Format {
    /// For programs.
    pub(super) const fn json(self) -> bool {
        self.json
    }
}

/// Prints the JSON text of a list; each column shows a member of every row.
pub(super) fn list(text: &str, format: Format, columns: &[&str]) -> Result<(), Failure> {
    if format.json {
        print!("{text}");
        return Ok(());
    }
    let rows: Vec<Value> = serde_json::from_str(text)
        .map_err(|error| Failure::new(1, format!("the server's answer is no list: {error}")))?;
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(columns.iter().map(|name| name.to_uppercase().replace('_', " ")));
    for row in &rows {
        table.add_row(columns.iter().map(|name| cell(&row[*name])));
    }
    println!("{}", table.trim_fmt());
    Ok(())
}

/// A value as people read it: `q=5, *=1`, `a, b`.
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
