//! Names that become labels, as many as there may be.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::OTHER;

/// The longest name that becomes a label, bytes.
const LONGEST: usize = 128;

/// The first names that come get labels of their own.
pub(super) struct Names {
    most: usize,
    shown: Mutex<BTreeSet<String>>,
    full: AtomicBool,
}

impl Names {
    pub(super) const fn new(most: usize) -> Self {
        Self { most, shown: Mutex::new(BTreeSet::new()), full: AtomicBool::new(false) }
    }

    /// The label of a name.
    pub(super) fn label(&self, name: &str) -> String {
        let mut shown = self.lock();
        if shown.contains(name) {
            return name.to_owned();
        }
        if shown.len() < self.most && name.len() <= LONGEST {
            shown.insert(name.to_owned());
            return name.to_owned();
        }
        drop(shown);
        if !self.full.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "there are more queues than metrics_queues = {}, or their names are longer than {LONGEST} bytes: \
                 /metrics counts the rest as {OTHER:?}",
                self.most
            );
        }
        OTHER.to_owned()
    }

    /// The names that have labels.
    pub(super) fn shown(&self) -> Vec<String> {
        self.lock().iter().cloned().collect()
    }

    /// Whether names were left out.
    pub(super) fn are_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
