//! How long jobs waited and ran: percentiles, and what follows from them for a job that waits.

/// The published percentiles, in the order of the answer.
pub const PERCENTILES: [u8; 5] = [5, 10, 50, 90, 95];

/// How many of a queue's newest waits count.
pub const KEPT: usize = 10_000;

/// How many of a queue's newest runs count.
pub const KEPT_RUNS: usize = 500;

/// A percentile as upstream prints it: an integer when it falls on a sample, else a float.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum Percentile {
    /// One of the samples, seconds.
    Sample(u32),
    /// Between two samples, seconds.
    Between(f64),
}

/// The `percent`-th percentile of `sorted`: linear interpolation at index `(n - 1) * percent / 100`.
/// `None` for no samples.
#[must_use]
pub fn percentile(sorted: &[u32], percent: u8) -> Option<Percentile> {
    let last = sorted.len().checked_sub(1)?;
    let scaled = last * usize::from(percent);
    let low = scaled / 100;
    let below = *sorted.get(low)?;
    Some(match sorted.get(low + 1) {
        None => Percentile::Sample(below),
        Some(&above) => {
            // Written as upstream computes it (index as a float), so that the printed digits agree.
            #[expect(clippy::cast_precision_loss, reason = "both are below 10,000 * 100")]
            let (index, low) = (scaled as f64 / 100.0, low as f64);
            Percentile::Between(
                f64::from(below) * (low + 1.0 - index) + f64::from(above) * (index - low),
            )
        }
    })
}

/// With fewer runs than this nothing is foretold.
const FEWEST: usize = 5;

/// What bears on when a waiting job starts.
#[derive(Clone, Debug, Default)]
pub struct Outlook {
    /// How long the queue's newest jobs ran, seconds.
    pub runs: Vec<u32>,
    /// How long the queue's newest jobs waited, seconds.
    pub waits: Vec<u32>,
    /// How long the job has waited, seconds.
    pub waited: u64,
    /// How many jobs stand before it.
    pub before: u64,
    /// The agents that could take it now.
    pub free: u64,
    /// The agents that could take it when they have done what they are doing.
    pub busy: u64,
}

/// In how many seconds a job is expected to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// If the jobs before it are as short as the shortest tenth.
    pub earliest: u64,
    /// If they are as long as half of them are.
    pub likely: u64,
    /// If they are as long as the longest tenth, or it waits as long as the tenth that waited longest.
    pub latest: u64,
}

impl Outlook {
    /// When the job starts, as far as can be said; `None` when too little is known or nobody could take it. An agent may
    /// serve other queues meanwhile, so the latest time also looks at how long jobs have really waited.
    #[must_use]
    pub fn estimate(mut self) -> Option<Estimate> {
        let agents = self.free + self.busy;
        if self.runs.len() < FEWEST || agents == 0 {
            return None;
        }
        // So many of the agents' jobs must end first.
        let ends = (self.before + 1).saturating_sub(self.free);
        self.runs.sort_unstable();
        self.waits.sort_unstable();
        let after = |percent| (ends * nearest(&self.runs, percent)).div_ceil(agents);
        let longest_wait = nearest(&self.waits, 90).saturating_sub(self.waited);
        Some(Estimate {
            earliest: after(10),
            likely: after(50),
            latest: if ends == 0 { 0 } else { after(90).max(longest_wait) },
        })
    }
}

/// The sample at or below a percentile; 0 for no samples.
fn nearest(sorted: &[u32], percent: usize) -> u64 {
    let at = sorted.len().saturating_sub(1) * percent / 100;
    sorted.get(at).copied().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outlook(before: u64, free: u64, busy: u64) -> Outlook {
        let runs = vec![100, 60, 60, 60, 20];
        Outlook { runs, waits: vec![10, 500], before, free, busy, ..Outlook::default() }
    }

    #[test]
    fn a_job_starts_when_enough_of_the_jobs_before_it_have_ended() {
        let range = |outlook: Outlook| {
            outlook.estimate().map(|found| (found.earliest, found.likely, found.latest))
        };
        assert_eq!(range(outlook(0, 1, 3)), Some((0, 0, 0)));
        assert_eq!(range(outlook(0, 0, 1)), Some((20, 60, 60)));
        assert_eq!(range(outlook(3, 0, 2)), Some((40, 120, 120)));
        let waited = Outlook { waits: vec![500; 10], waited: 90, ..outlook(0, 0, 1) };
        assert_eq!(range(waited), Some((20, 60, 410)));
    }

    #[test]
    fn nothing_is_foretold_from_too_little() {
        assert_eq!(outlook(0, 0, 0).estimate(), None);
        assert_eq!(Outlook { runs: vec![1; 4], ..outlook(0, 0, 1) }.estimate(), None);
    }

    #[test]
    fn one_sample_is_every_percentile() {
        for percent in PERCENTILES {
            assert_eq!(percentile(&[7], percent), Some(Percentile::Sample(7)));
        }
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn percentiles_lie_between_the_samples() {
        let found: Vec<String> = PERCENTILES
            .iter()
            .map(|&p| serde_json::to_string(&percentile(&[0, 2, 2], p)).unwrap())
            .collect();
        assert_eq!(found, ["0.2", "0.4", "2.0", "2.0", "2.0"]);
    }
}
