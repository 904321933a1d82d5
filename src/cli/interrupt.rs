//! Signals while a command writes what must not stay half done.

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use super::Failure;
use super::output::tell;
use crate::server::Signals;
use crate::store::backup;

/// How long a command may clean up. A second signal ends it at once.
const LONGEST: Duration = Duration::from_secs(10);

/// From now on a signal lets the command clean up before the process ends.
pub(super) fn catch() -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(1, error.to_string());
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let (sender, listens) = sync_channel(1);
    std::thread::spawn(move || {
        runtime.block_on(async {
            let mut signals = match Signals::listen() {
                Ok(signals) => signals,
                Err(error) => return drop(sender.send(Err(error))),
            };
            drop(sender.send(Ok(())));
            signals.next().await;
            backup::interrupt();
            tell!("interrupted: cleaning up");
            let _ = tokio::time::timeout(LONGEST, signals.next()).await;
            std::process::exit(1);
        });
    });
    let gone = |_| Failure::new(1, "the thread that waits for signals ended");
    listens.recv().map_err(gone)?.map_err(failed)
}
