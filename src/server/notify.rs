//! What the service manager is told (`sd_notify(3)`): that the server is ready, that it stops, that it still works.
//!
//! The protocol is a datagram of `NAME=value` lines to the socket that `$NOTIFY_SOCKET` names. Without that variable nobody
//! asks, and nothing is sent.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::App;

/// The service manager, if one started this process.
#[derive(Clone, Debug, Default)]
pub struct Manager {
    socket: Option<SocketAddr>,
    /// The process is ended when it says nothing for so long.
    watchdog: Option<Duration>,
}

impl Manager {
    /// The manager that the environment names.
    #[must_use]
    pub fn from_env() -> Self {
        let var = |name| std::env::var(name).ok();
        let ours = var("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let span = var("WATCHDOG_USEC").and_then(|micros| micros.parse().ok());
        Self {
            socket: var("NOTIFY_SOCKET").and_then(|name| address(&name)),
            watchdog: span.filter(|micros| ours && *micros > 0).map(Duration::from_micros),
        }
    }

    /// The server is about to be ready: opening a large database may take a while.
    pub fn starting(&self) {
        self.tell("STATUS=Opening the data directory");
    }

    /// The server accepts requests; `status` is what `systemctl status` shows.
    pub fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={status}"));
    }

    /// The server takes over new settings, and says [`Manager::ready`] afterwards.
    pub fn reloading(&self) {
        // Newer managers compare this with the time at which they asked.
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// The server accepts nothing more and finishes what is in flight.
    pub fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=Finishing requests in flight");
    }

    /// A manager that is gone, or does not listen, is no reason to stop.
    fn tell(&self, lines: &str) {
        let Some(socket) = &self.socket else { return };
        let sent =
            UnixDatagram::unbound().and_then(|out| out.send_to_addr(lines.as_bytes(), socket));
        if let Err(error) = sent {
            tracing::debug!(%error, "the service manager cannot be told");
        }
    }

    /// Says three times in the span that the manager grants that the server works, until `stop`. It works when its writer
    /// answers: the question costs no commit, and goes through every part that a request needs.
    pub(super) async fn watch(self, app: App, stop: CancellationToken) {
        let Some(span) = self.watchdog.filter(|_| self.socket.is_some()) else { return };
        loop {
            if app.write(|_, _| Ok(())).await.is_ok() {
                self.tell("WATCHDOG=1");
            }
            tokio::select! {
                () = tokio::time::sleep(span / 3) => {}
                () = stop.cancelled() => return,
            }
        }
    }
}

/// A path, or a name in the abstract namespace after `@`.
fn address(name: &str) -> Option<SocketAddr> {
    match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name).ok(),
        None => SocketAddr::from_pathname(name).ok(),
    }
}
