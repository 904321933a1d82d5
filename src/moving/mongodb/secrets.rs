//! `secrets.<client>`: values that the other server encrypted under a key that is not in the dump.

use super::super::Outcome;
use super::{Document, Move, Stop};

/// How the names of the collections begin.
pub(super) const PREFIX: &str = "secrets.";

impl Move<'_> {
    pub(super) fn secret(&mut self, (collection, fields): Document<'_>) -> Result<(), Stop> {
        if fields.moment("expire_at").at().is_some_and(|end| end < self.now) {
            self.load.note(collection, "", Outcome::Skipped, "they have expired");
            return Ok(());
        }
        Err("its value is encrypted under the old server's key: write it anew with secret-admin put".into())
    }
}
