//! Work that keeps a processor busy for long: a backup, a check of everything, a costly hash.

use std::thread;

use tracing::Span;

use super::{Error, Result};

/// Such work gets about a tenth of a processor that others want, too.
const NICE: i32 = 10;

/// Starts it on a thread of its own, for which everything else goes first. The server does not wait for it when it stops, as it
/// would for the runtime's threads.
pub fn apart(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let span = Span::current();
    let work = move || {
        // Where a sandbox forbids it, the work is done all the same.
        let _ = rustix::process::setpriority_process(None, NICE);
        span.in_scope(work);
    };
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop).map_err(|error| {
        tracing::error!(%error, work = name, "no thread can be started");
        Error::Internal
    })
}
