//! Signals that end the process, and the one that asks it to reload.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM, SIGINT and SIGHUP. Create this before the server says that it listens, because a signal may arrive from then on.
pub struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
}

/// What a signal asks for.
pub enum Asked {
    /// To end.
    Stop,
    /// To read again what can be read again.
    Reload,
}

impl Signals {
    /// Begins to listen for them, so that they no longer kill the process.
    ///
    /// # Errors
    /// The process may not listen for signals.
    pub fn listen() -> std::io::Result<Self> {
        let term = signal(SignalKind::terminate())?;
        let int = signal(SignalKind::interrupt())?;
        Ok(Self { term, int, hup: signal(SignalKind::hangup())? })
    }

    /// Waits for one of them.
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.term.recv() => tracing::info!("SIGTERM: stopping"),
            _ = self.int.recv() => tracing::info!("SIGINT: stopping"),
            _ = self.hup.recv() => return Asked::Reload,
        }
        Asked::Stop
    }
}
