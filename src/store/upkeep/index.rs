//! Index rows: which follow from which stored row, for whoever checks or rebuilds them all.
//!
//! What keeps them up from day to day is `replace_rows`, with the rows that each noun names for itself.

use serde::de::IgnoredAny;

use crate::store::engine::{Error, IndexRow, Table, Tail};
use crate::store::nouns::{
    agent, alert, blob, client, history, job, log, notice, queue, result, secret,
};

/// Reads a row as what its table says that it is, and gives the index rows that follow from it.
///
/// # Errors
/// [`Error::Corrupt`] when the row is something else.
pub(crate) fn index_of(table: Table, key: &[u8], value: &[u8]) -> Result<Vec<IndexRow>, Error> {
    match table {
        Table::Job => return job::index_of(key, value),
        Table::Agent => return agent::index_of(key, value),
        Table::Queue => return queue::index_of(key, value),
        Table::Client => return client::index_of(key, value),
        Table::Refresh => return client::index_of_refresh(key, value),
        Table::Secret => return secret::index_of(key, value),
        Table::JobSecret => secret::check_job_secret(value)?,
        Table::Blob => return blob::index_of(key, value),
        Table::LogTail => return log::index_of(key, value),
        Table::ResultSince => {
            length(value, 8)?;
            return Ok(result::index_of_since(key, value));
        }
        Table::JobBody | Table::Image => json(value)?,
        Table::Result => drop(result::member(value)?),
        Table::Fragment => text(value.get(8..).ok_or_else(|| wrong("it has no time"))?)?,
        Table::Drain => text(value)?,
        Table::AgentLog => drop(agent::read_log(value)?),
        Table::ProvisionLog => drop(agent::read_provision(value)?),
        Table::Notice | Table::DeadNotice => drop(notice::stored(key, value)?),
        Table::History => drop(history::event(key, value)?),
        Table::Alert => drop(alert::stored(key, value)?),
        Table::Wait | Table::Run => length(value, value.len() / 4 * 4)?,
        Table::Meta | Table::Restricted => text(key)?,
        // Index rows, and pieces of text of which only the whole can be read.
        _ => {}
    }
    Ok(Vec::new())
}

/// The place in the store's one counter that a row uses up, if it does.
pub(crate) fn seq_of(table: Table, key: &[u8]) -> Option<u64> {
    let used = matches!(
        table,
        Table::JobBySeq
            | Table::AgentBySeq
            | Table::History
            | Table::ProvisionLog
            | Table::Notice
            | Table::DeadNotice
    );
    used.then(|| Tail(key).number())
}

/// What is wrong with a row, with its place.
pub(crate) fn of_row(table: Table, key: &[u8], error: &Error) -> Error {
    let why = match error {
        Error::Corrupt(why) => why.clone(),
        other => other.to_string(),
    };
    Error::Corrupt(format!("{}: {}: {why}", table.name(), shown(key)))
}

/// A key for people: its printable bytes as they are.
pub(crate) fn shown(key: &[u8]) -> String {
    key.escape_ascii().to_string()
}

fn wrong(why: &str) -> Error {
    Error::Corrupt(why.to_owned())
}

fn text(bytes: &[u8]) -> Result<(), Error> {
    std::str::from_utf8(bytes).map(|_| ()).map_err(|_| wrong("it is no text"))
}

fn json(value: &[u8]) -> Result<(), Error> {
    let read = serde_json::from_slice::<IgnoredAny>(value);
    read.map(|_| ()).map_err(|error| wrong(&format!("it is no JSON: {error}")))
}

fn length(value: &[u8], expected: usize) -> Result<(), Error> {
    if value.len() == expected { Ok(()) } else { Err(wrong("its length is wrong")) }
}
