//! The table that is printed, and what it takes to pass.

use std::time::Duration;

use super::Outcome;
use super::meter::Times;

/// How much memory an attack may take: the budget for bytes in flight, and this much more.
const MEMORY: u64 = (256 + 64) << 20;
/// How long `GET /v1` may take for somebody else during an attack, on a machine where it takes [`USUAL`] otherwise.
const LONGEST: Duration = Duration::from_millis(100);
/// The 99th percentile of `GET /v1` on an idle machine.
const USUAL: Duration = Duration::from_millis(2);

/// What one attack showed.
pub(crate) struct Row {
    name: &'static str,
    outcome: Outcome,
    cost: Option<Cost>,
}

/// What an attack cost.
pub(crate) struct Cost {
    /// `GET /v1` before the attack.
    pub(crate) idle: Times,
    /// `GET /v1` during it.
    pub(crate) during: Times,
    /// Bytes that the server needed at most, beyond what it had before.
    pub(crate) memory: u64,
    /// How long the attack took.
    pub(crate) took: Duration,
}

impl Cost {
    /// The longest time that is fine, on a machine that is as busy as this one was while the server was idle.
    fn longest(&self) -> Duration {
        LONGEST.mul_f64((self.idle.p99.as_secs_f64() / USUAL.as_secs_f64()).max(1.0))
    }

    fn is_bearable(&self) -> bool {
        self.during.p99 <= self.longest() && self.memory <= MEMORY
    }
}

impl Row {
    pub(crate) fn new(name: &'static str, outcome: Outcome, cost: Cost) -> Self {
        Self { name, outcome, cost: Some(cost) }
    }

    pub(crate) fn plain(name: &'static str, outcome: Outcome) -> Self {
        Self { name, outcome, cost: None }
    }

    fn has_held(&self) -> bool {
        self.outcome.held && self.cost.as_ref().is_none_or(Cost::is_bearable)
    }
}

/// All rows, each printed when it is there.
pub(crate) struct Table {
    failed: Vec<&'static str>,
}

impl Table {
    pub(crate) fn new() -> Self {
        eprintln!(
            "{:38} | {:>8} | {:>17} | {:>6} | {:>8} | {:>6} | outcome",
            "attack", "idle p99", "during p99 / max", "ratio", "memory", "took"
        );
        Self { failed: Vec::new() }
    }

    pub(crate) fn add(&mut self, row: &Row) {
        let cost = row.cost.as_ref().map_or_else(
            || format!("{:>8} | {:>17} | {:>6} | {:>8} | {:>6}", "", "", "", "", ""),
            |cost| {
                let millis = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e3);
                let during = format!("{} / {}", millis(cost.during.p99), millis(cost.during.max));
                format!(
                    "{:>8} | {during:>17} | {:>6.1} | {:>5} MiB | {:>4} s",
                    millis(cost.idle.p99),
                    cost.during.p99.as_secs_f64() / cost.idle.p99.as_secs_f64(),
                    cost.memory >> 20,
                    cost.took.as_secs()
                )
            },
        );
        let mark = if row.has_held() { "" } else { "FAILED: " };
        eprintln!("{:38} | {cost} | {mark}{}", row.name, row.outcome.seen);
        if !row.has_held() {
            self.failed.push(row.name);
        }
    }

    #[track_caller]
    pub(crate) fn end(self) {
        assert!(self.failed.is_empty(), "these attacks succeed: {:#?}", self.failed);
    }
}
