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
    /// The data is not where it was. What is open goes on working.
    #[error("the data directory was removed: what it held is lost when the server stops")]
    Gone,
    /// Uploads and large bodies are refused.
    #[error("less space is free on the disk than disk_reserve")]
    Disk,
}

impl App {
    /// Why this server is not ready; empty for one that is.
    #[must_use]
    pub fn unready(&self) -> Vec<Unready> {
        let is_gone = self.store().file_size().is_err();
        let is_full = self.store().blobs().check_room(self.limits().disk_reserve).is_err();
        let found = [
            (self.stopping().is_cancelled(), Unready::Stopping),
            (self.read(|_| Ok::<_, store::Error>(())).is_err(), Unready::Store),
            (is_gone, Unready::Gone),
            (is_full && !is_gone, Unready::Disk),
        ];
        found.into_iter().filter_map(|(is_so, why)| is_so.then_some(why)).collect()
    }
}
