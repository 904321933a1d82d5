//! The only file that reads the time.
//!
//! Everything else is handed a [`Timestamp`], so that tests can step a [`ManualClock`].

use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A moment: microseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded towards the past.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This moment and `span` later; stays at the end of time instead of wrapping.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(micros(span)))
    }

    /// This moment and `span` earlier; stays at the beginning of time instead of wrapping.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(micros(span)))
    }

    /// How long `earlier` lies back, zero when it does not (clocks step).
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

impl Timestamp {
    /// The moment to the microsecond, RFC 3339 in UTC.
    #[must_use]
    pub fn exact(self) -> String {
        let moment = jiff::Timestamp::from_microsecond(self.0);
        moment.map_or_else(|_| self.to_string(), |moment| moment.to_string())
    }

    /// The moment that was written so.
    #[must_use]
    pub fn from_exact(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|moment| Self(moment.as_microsecond()))
    }
}

/// `2026-11-23T18:05:49Z`: whole seconds and a `Z`, the only form that every client generation parses
/// (Python 3.10 `fromisoformat` takes no other number of fraction digits than 0, 3 or 6).
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.as_secs()) {
            Ok(moment) => write!(f, "{moment}"),
            Err(_) => f.write_str("9999-12-31T23:59:59Z"),
        }
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where the time comes from.
pub trait Clock: Send + Sync + 'static {
    /// The present moment by the wall clock.
    fn now(&self) -> Timestamp;

    /// What the wall clock, as it is set now, would have shown at some fixed moment in the life of the program. While
    /// nobody sets the clock this stays the same, but for the corrections by which clocks are kept right.
    fn origin(&self) -> Timestamp;
}

/// The machine's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp(micros(since_epoch))
    }

    fn origin(&self) -> Timestamp {
        static FIXED: LazyLock<Instant> = LazyLock::new(Instant::now);
        let ran = FIXED.elapsed();
        self.now().minus(ran)
    }
}

/// A clock that stands still until it is told otherwise.
#[derive(Debug, Default)]
pub struct ManualClock {
    /// Microseconds, as everything here.
    origin: AtomicI64,
    ran: AtomicI64,
}

impl ManualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub const fn new(start: Timestamp) -> Self {
        Self { origin: AtomicI64::new(start.0), ran: AtomicI64::new(0) }
    }

    /// Lets `span` pass.
    pub fn advance(&self, span: Duration) {
        self.ran.fetch_add(micros(span), Ordering::SeqCst);
    }

    /// Steps to `moment`, backwards too, without any time passing.
    pub fn set(&self, moment: Timestamp) {
        self.origin.store(moment.0 - self.ran.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.origin.load(Ordering::SeqCst) + self.ran.load(Ordering::SeqCst))
    }

    fn origin(&self) -> Timestamp {
        Timestamp(self.origin.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_print_as_whole_seconds_with_a_z() {
        let moment = Timestamp::from_micros(1_795_457_149_999_999);
        assert_eq!(moment.to_string(), "2026-11-23T18:05:49Z");
    }

    #[test]
    fn a_moment_outside_the_calendar_still_prints() {
        assert_eq!(Timestamp::from_micros(i64::MAX).to_string(), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn a_clock_that_stepped_back_gives_no_negative_span() {
        let (early, late) = (Timestamp::from_micros(5), Timestamp::from_micros(9));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(late.since(early), Duration::from_micros(4));
    }

    #[test]
    fn only_who_sets_a_clock_moves_its_origin() {
        let clock = ManualClock::new(Timestamp::from_micros(5));
        clock.advance(Duration::from_micros(2));
        assert_eq!((clock.now().0, clock.origin().0), (7, 5));
        clock.set(Timestamp::from_micros(4));
        assert_eq!((clock.now().0, clock.origin().0), (4, 2));
        let origin = SystemClock.origin();
        let moved = SystemClock.origin().since(origin).max(origin.since(SystemClock.origin()));
        assert!(moved < Duration::from_hours(1), "{moved:?}");
    }
}
