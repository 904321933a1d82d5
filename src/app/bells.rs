//! Bells that wake whoever waits for something about a key.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// A bell for each key that somebody waits for.
pub(super) struct Bells<K>(Mutex<HashMap<K, Arc<Notify>>>);

impl<K> Default for Bells<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Clone> Bells<K> {
    /// Wakes everybody who waits for a key at this moment.
    pub(super) fn ring(&self, key: &K) {
        if let Some(bell) = self.lock().get(key) {
            bell.notify_waiters();
        }
    }

    /// The bell of a key.
    pub(super) fn bell(&self, key: &K) -> Arc<Notify> {
        Arc::clone(self.lock().entry(key.clone()).or_default())
    }

    /// Forgets the bell of a key, unless somebody besides the caller has it.
    pub(super) fn forget(&self, key: &K) {
        let mut bells = self.lock();
        // The caller's and the map's own.
        if bells.get(key).is_some_and(|bell| Arc::strong_count(bell) <= 2) {
            bells.remove(key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
