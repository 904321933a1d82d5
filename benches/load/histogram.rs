//! How long things took, in buckets of 3 %.

use std::time::Duration;

/// Buckets for each doubling.
const STEPS: u32 = 32;
const BUCKETS: usize = 32 * STEPS as usize;

#[derive(Clone)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    worst: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0, worst: 0 }
    }
}

impl Histogram {
    pub(crate) fn record(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap();
        self.counts[bucket(micros).min(BUCKETS - 1)] += 1;
        self.total += 1;
        self.worst = self.worst.max(micros);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(mine, theirs)| *mine += theirs);
        self.total += other.total;
        self.worst = self.worst.max(other.worst);
    }

    pub(crate) const fn count(&self) -> u64 {
        self.total
    }

    pub(crate) const fn worst(&self) -> f64 {
        self.worst as f64 / 1000.0
    }

    /// Milliseconds below which this share of everything stayed.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let mut left = (share * self.total as f64).ceil() as u64;
        for (index, count) in self.counts.iter().enumerate() {
            if *count >= left {
                return upper(index).min(self.worst) as f64 / 1000.0;
            }
            left -= count;
        }
        self.worst()
    }
}

/// The buckets of values below [`STEPS`] are exact; above, each doubling has as many.
const fn bucket(value: u64) -> usize {
    if value < STEPS as u64 {
        return value as usize;
    }
    let shift = value.ilog2() - STEPS.ilog2();
    (shift as u64 * STEPS as u64 + (value >> shift)) as usize
}

/// The largest value of a bucket.
const fn upper(bucket: usize) -> u64 {
    let (bucket, steps) = (bucket as u64, STEPS as u64);
    if bucket < 2 * steps {
        return bucket;
    }
    let shift = bucket / steps - 1;
    ((bucket - shift * steps + 1) << shift) - 1
}
