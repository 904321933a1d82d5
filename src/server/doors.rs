//! How many connections are served at the same time, and for whom.

use std::net::SocketAddr;
use std::sync::Arc;

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::app::{App, Share, Shares};

/// Open files that are no connections: the database, blobs, webhooks, backups.
const OTHER_FILES: u64 = 512;

/// Counts connections. Cheap to clone.
#[derive(Clone)]
pub(super) struct Doors(Arc<Inner>);

struct Inner {
    app: App,
    places: usize,
    taken: Shares,
}

/// A place for one connection; free again when it is dropped.
pub(super) struct Place {
    _share: Share,
    pub(super) peer: SocketAddr,
}

impl Doors {
    /// At most so many connections, and no more than there may be open files.
    pub(super) fn new(app: App, places: usize) -> Self {
        let files = usize::try_from(open_files().saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX);
        let places = places.min(files.max(1));
        Self(Arc::new(Inner { app, places, taken: Shares::default() }))
    }

    /// A place for a connection; `None` when there is none for its peer. The last eighth is kept for addresses from which
    /// somebody has called whom this server knows, and no address but a trusted proxy's gets more than half.
    pub(super) fn enter(&self, peer: SocketAddr) -> Option<Place> {
        let Inner { app, places, taken } = &*self.0;
        let is_proxy = app.auth().is_proxy(peer.ip());
        let is_known = is_proxy || app.presence().is_known(peer.ip());
        let open = if is_known { *places } else { places - places / 8 };
        let share = if is_proxy { *places } else { places.div_ceil(2) };
        let share = taken.take(Some(peer.ip()), open, share)?;
        Some(Place { _share: share, peer })
    }

    /// Counts a connection for which there was no place.
    pub(super) fn refused(&self) {
        self.0.app.metrics().refused("connections");
    }
}

/// How many files this process may open, after it has taken all that it is allowed.
fn open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised =
        setrlimit(Resource::Nofile, rustix::process::Rlimit { current: limit.maximum, ..limit });
    match (raised, limit.maximum, limit.current) {
        (Ok(()), None, _) | (Err(_), _, None) => u64::MAX,
        (Ok(()), Some(maximum), _) => maximum,
        (Err(_), _, Some(current)) => current,
    }
}
