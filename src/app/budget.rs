//! A budget for bytes in flight: request bodies, what is made of them, and answers that wait for their readers.
//!
//! One host can ask for any number of large things at once. Whoever wants more than is left is told to try again; what
//! has been begun goes on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::{Error, Result};

/// What is smaller than this, bytes, may also use the last eighth of the budget: large requests must not keep small ones
/// out.
pub const SMALL: u64 = 64 << 10;

/// How many bytes may be in flight. Cheap to clone.
#[derive(Clone)]
pub struct Budget(Arc<Inner>);

struct Inner {
    limit: u64,
    used: AtomicU64,
    freed: Notify,
}

impl Budget {
    /// A budget of so many bytes, of which none is used.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self(Arc::new(Inner { limit, used: AtomicU64::new(0), freed: Notify::new() }))
    }

    /// Whether nothing new should be begun.
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        self.0.used.load(Ordering::Relaxed) >= self.0.limit
    }

    /// How many bytes are in flight.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.0.used.load(Ordering::Relaxed)
    }

    /// A share for a request, which is empty at first.
    #[must_use]
    pub fn share(&self) -> Share {
        Share { budget: self.clone(), bytes: Mutex::new(0) }
    }

    /// Waits until something may be added: an answer that has begun can no longer be refused.
    pub async fn room(&self) {
        loop {
            let freed = self.0.freed.notified();
            if !self.is_used_up() {
                return;
            }
            freed.await;
        }
    }

    /// Bytes of an answer, which count until they are sent or their reader is gone.
    #[must_use]
    pub fn track(&self, bytes: impl Into<Bytes>) -> Bytes {
        let bytes = bytes.into();
        let share = self.share();
        share.add(bytes.len() as u64);
        Bytes::from_owner(Tracked { bytes, _share: share })
    }
}

struct Tracked {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Tracked {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// What one request takes of the budget; given back when it is dropped.
pub struct Share {
    budget: Budget,
    bytes: Mutex<u64>,
}

impl Share {
    /// Takes more.
    ///
    /// # Errors
    /// [`Error::TooMuchInFlight`] when there is no room. What is alone with small things always finds room, however small
    /// the budget.
    pub fn grow(&self, more: u64) -> Result<()> {
        let mut own = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = self.budget.0.limit;
        let most = if *own + more <= SMALL { limit } else { limit - limit / 8 };
        let fits = |used: u64| used + more <= most || used - *own <= limit / 8;
        let add = |used| fits(used).then_some(used + more);
        let added = self.budget.0.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        added.map_err(|_| Error::TooMuchInFlight)?;
        *own += more;
        Ok(())
    }

    /// Takes more, room or not: for what is there already.
    fn add(&self, more: u64) {
        *self.bytes.lock().unwrap_or_else(PoisonError::into_inner) += more;
        self.budget.0.used.fetch_add(more, Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let bytes = *self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        self.budget.0.used.fetch_sub(bytes, Ordering::Relaxed);
        self.budget.0.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn what_does_not_fit_is_refused_until_something_is_given_back() {
        let budget = Budget::new(8 * MIB);
        let (first, second) = (budget.share(), budget.share());
        first.grow(5 * MIB).unwrap();
        assert!(second.grow(3 * MIB).is_err());
        second.grow(2 * MIB).unwrap();
        drop(first);
        second.grow(3 * MIB).unwrap();
    }

    #[test]
    fn small_requests_pass_where_large_ones_do_not() {
        let budget = Budget::new(8 * MIB);
        let (large, other) = (budget.share(), budget.share());
        large.grow(7 * MIB).unwrap();
        assert!(other.grow(MIB / 2).is_err());
        other.grow(SMALL).unwrap();
        assert!(other.grow(1).is_err());
    }

    #[test]
    fn one_request_that_is_alone_is_never_too_large() {
        let budget = Budget::new(MIB);
        let (small, large) = (budget.share(), budget.share());
        small.grow(SMALL).unwrap();
        large.grow(64 * MIB).unwrap();
        assert!(budget.is_used_up());
    }

    #[test]
    fn an_answer_counts_until_the_last_piece_of_it_is_gone() {
        let budget = Budget::new(MIB);
        let bytes = budget.track(vec![0; 2 << 20]);
        let piece = bytes.slice(..1);
        drop(bytes);
        assert!(budget.is_used_up());
        drop(piece);
        assert!(!budget.is_used_up());
    }
}
