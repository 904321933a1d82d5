//! Wait-time percentiles.

/// The published percentiles, in the order of the answer.
pub const PERCENTILES: [u8; 5] = [5, 10, 50, 90, 95];

/// How many of a queue's newest waits count.
pub const KEPT: usize = 10_000;

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

#[cfg(test)]
mod tests {
    use super::*;

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
