//! A clock that is late while the past of the lab is made, and right afterwards.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::domain::{Clock, SystemClock, Timestamp};

/// The machine's clock, some seconds late.
#[derive(Debug)]
pub(in crate::demo) struct LateClock(AtomicU64);

impl LateClock {
    /// A clock that is late by `span`.
    pub(in crate::demo) const fn new(span: Duration) -> Self {
        Self(AtomicU64::new(span.as_secs()))
    }

    /// Lets `span` pass, as far as the clock is late.
    pub(in crate::demo) fn catch_up(&self, span: Duration) {
        // Only the thread that makes the past calls this.
        let late = self.0.load(Ordering::SeqCst);
        self.0.store(late.saturating_sub(span.as_secs()), Ordering::SeqCst);
    }

    /// How late it is.
    pub(in crate::demo) fn late(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

impl Clock for LateClock {
    fn now(&self) -> Timestamp {
        SystemClock.now().minus(self.late())
    }

    fn origin(&self) -> Timestamp {
        SystemClock.origin().minus(self.late())
    }
}
