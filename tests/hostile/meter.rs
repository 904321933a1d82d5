//! Somebody else, who wants nothing but `GET /v1`, on a new connection each time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::wire;

const PAUSE: Duration = Duration::from_millis(10);

/// How long requests took.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    pub(crate) p99: Duration,
    pub(crate) max: Duration,
}

/// Asks until it is stopped.
pub(crate) struct Meter {
    stop: Arc<AtomicBool>,
    asking: JoinHandle<Vec<Duration>>,
}

impl Meter {
    pub(crate) fn start(addr: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let asking = std::thread::spawn(move || {
            let request = wire::request("GET", "/v1", &[], b"");
            let mut times = Vec::new();
            while !stopped.load(Ordering::Relaxed) || times.is_empty() {
                let begun = Instant::now();
                let answered =
                    wire::send(addr, &request).is_some_and(|answer| answer.status == 200);
                times.push(if answered { begun.elapsed() } else { wire::PATIENCE });
                std::thread::sleep(PAUSE);
            }
            times
        });
        Self { stop, asking }
    }

    pub(crate) fn stop(self) -> Times {
        self.stop.store(true, Ordering::Relaxed);
        let mut times = self.asking.join().unwrap();
        times.sort_unstable();
        let p99 = times[(times.len() * 99).div_ceil(100) - 1];
        Times { p99, max: times[times.len() - 1] }
    }

    /// How long requests take for a second in which nothing else happens.
    pub(crate) fn idle(addr: SocketAddr) -> Times {
        let meter = Self::start(addr);
        std::thread::sleep(Duration::from_secs(1));
        meter.stop()
    }
}
