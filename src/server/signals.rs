//! Signals that end the process.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT. Create this before the server says that it listens, because a signal may arrive from then on.
pub struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    /// Begins to listen for them, so that they no longer kill the process.
    ///
    /// # Errors
    /// The process may not listen for signals.
    pub fn listen() -> std::io::Result<Self> {
        let term = signal(SignalKind::terminate())?;
        Ok(Self { term, int: signal(SignalKind::interrupt())? })
    }

    /// Waits for one of them.
    pub async fn terminated(&mut self) {
        tokio::select! {
            _ = self.term.recv() => tracing::info!("SIGTERM: stopping"),
            _ = self.int.recv() => tracing::info!("SIGINT: stopping"),
        }
    }
}
