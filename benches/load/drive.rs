//! Workers that repeat an operation, in a closed loop or in an open one.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::histogram::Histogram;

/// Repeats one operation.
pub(crate) trait Worker: Send + 'static {
    fn turn(&mut self) -> impl Future<Output = ()> + Send;
}

#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// Each worker begins again once it was answered.
    Closed,
    /// All workers together begin this often in a second. What begins late was late all the same: an operation counts
    /// from the moment at which it should have begun.
    Open(f64),
}

/// Lets the workers repeat their operation for `span`, and before that for a while that does not count.
pub(crate) async fn drive<W: Worker>(workers: Vec<W>, pace: Pace, span: Duration) -> Histogram {
    let mut all = JoinSet::new();
    let warm = Instant::now() + span / 5;
    let count = workers.len() as f64;
    for (number, mut worker) in workers.into_iter().enumerate() {
        all.spawn(async move {
            let mut seen = Histogram::default();
            let mut due = Instant::now();
            let step = match pace {
                Pace::Closed => Duration::ZERO,
                Pace::Open(rate) => {
                    due += Duration::from_secs_f64(number as f64 / rate);
                    Duration::from_secs_f64(count / rate)
                }
            };
            loop {
                // Whoever is in time begins when the timer wakes it, which may be a millisecond later.
                let begun = if Instant::now() < due {
                    tokio::time::sleep_until(due.into()).await;
                    Instant::now()
                } else if matches!(pace, Pace::Open(_)) {
                    due
                } else {
                    Instant::now()
                };
                worker.turn().await;
                let now = Instant::now();
                if now >= warm + span {
                    return seen;
                }
                if begun >= warm {
                    seen.record(now - begun);
                }
                due += step;
            }
        });
    }
    let mut seen = Histogram::default();
    while let Some(one) = all.join_next().await {
        seen.merge(&one.unwrap());
    }
    seen
}
