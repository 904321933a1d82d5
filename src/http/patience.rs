//! How long a slow peer is waited for.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

/// What a peer must achieve: only the time counts in which this server waits for it.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// So many bytes ..
    pub bytes: usize,
    /// .. in every span of this length.
    pub within: Duration,
}

impl Pace {
    /// For the body of a request.
    pub const BODY: Self = Self { bytes: 16 << 10, within: Duration::from_secs(30) };
    /// For an answer. People look at long ones through a pager.
    pub const ANSWER: Self = Self { bytes: 64 << 10, within: Duration::from_mins(2) };
}

/// A peer was slower than its [`Pace`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooSlow;

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the other side is too slow")
    }
}

impl std::error::Error for TooSlow {}

/// Watches the pace of a peer.
#[derive(Debug)]
pub struct Patience {
    pace: Pace,
    bytes: usize,
    waited: Duration,
    waiting: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// Nothing was waited for yet.
    #[must_use]
    pub const fn new(pace: Pace) -> Self {
        Self { pace, bytes: 0, waited: Duration::ZERO, waiting: None, timer: None }
    }

    /// Notes that bytes have passed.
    pub fn passed(&mut self, bytes: usize) {
        if let Some(since) = self.waiting.take() {
            self.waited += since.elapsed();
        }
        self.bytes += bytes;
        if self.bytes >= self.pace.bytes {
            (self.bytes, self.waited) = (0, Duration::ZERO);
        }
    }

    /// Ready when the peer has been waited for long enough. Call it whenever there is nothing to do but to wait.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<TooSlow> {
        if self.waiting.is_none() {
            let now = Instant::now();
            self.waiting = Some(now);
            let until = now + self.pace.within.saturating_sub(self.waited);
            match &mut self.timer {
                Some(timer) => timer.as_mut().reset(until.into()),
                None => self.timer = Some(Box::pin(tokio::time::sleep_until(until.into()))),
            }
        }
        match &mut self.timer {
            Some(timer) => timer.as_mut().poll(context).map(|()| TooSlow),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const SHORT: Duration = Duration::from_millis(5);

    fn run<T>(test: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(test)
    }

    #[test]
    fn whoever_sends_too_little_is_too_slow() {
        run(async {
            let mut patience = Patience::new(Pace { bytes: 10, within: SHORT });
            for _ in 0..3 {
                patience.passed(3);
            }
            assert_eq!(poll_fn(|context| patience.poll(context)).await, TooSlow);
        });
    }

    #[test]
    fn time_in_which_nobody_waits_does_not_count_and_enough_bytes_begin_anew() {
        run(async {
            let mut patience = Patience::new(Pace { bytes: 10, within: Duration::from_hours(1) });
            let is_pending = |patience: &mut Patience| {
                let waker = std::task::Waker::noop();
                patience.poll(&mut Context::from_waker(waker)).is_pending()
            };
            assert!(is_pending(&mut patience));
            patience.waited = Duration::from_mins(59);
            patience.passed(10);
            assert_eq!((patience.waited, patience.waiting), (Duration::ZERO, None));
            assert!(is_pending(&mut patience));
        });
    }
}
