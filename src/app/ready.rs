//! Whether this server can do what it is asked.

use super::App;
use crate::store;

/// Why it cannot. It is said to strangers, so it names no path and no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unready {
    /// It ends.
    #[error("the server is stopping")]
    Stopping,
    /// No snapshot can be had.
    #[error("the database cannot be read")]
    Store,
    /// Uploads and large bodies are refused.
    #[error("less space is free on the disk than disk_reserve")]
    Disk,
}

impl App {
    /// Why this server is not ready; empty for one that is.
    #[must_use]
    pub fn unready(&self) -> Vec<Unready> {
        let disk = self.store().blobs().check_room(self.limits().disk_reserve);
        let found = [
            (self.stopping().is_cancelled(), Unready::Stopping),
            (self.read(|_| Ok::<_, store::Error>(())).is_err(), Unready::Store),
            (disk.is_err(), Unready::Disk),
        ];
        found.into_iter().filter_map(|(is_so, why)| is_so.then_some(why)).collect()
    }
}
