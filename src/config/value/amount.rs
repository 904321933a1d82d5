//! Amounts: durations, sizes and counts.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use super::Written;

/// A duration: `90s`, `30m`, `4h`, `7d`. A bare number is refused, because `keep_jobs = 30` would mean seconds and delete
/// what was meant to stay for days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Deserialize)]
#[serde(try_from = "Written")]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let units = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];
        let seconds = with_unit(text, &units).ok_or_else(|| match text.trim().parse::<u64>() {
            Ok(number) => format!(
                "{number} has no unit: write \"{number}s\", \"{number}m\", \"{number}h\" or \"{number}d\""
            ),
            Err(_) => format!("{text:?} is not a duration (examples: 90s, 30m, 4h, 7d)"),
        })?;
        Ok(Self(Duration::from_secs(seconds)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let fits = |factor: &u64| seconds > 0 && seconds.is_multiple_of(*factor);
        let (factor, unit) = [(86_400, "d"), (3_600, "h"), (60, "m")]
            .into_iter()
            .find(|(factor, _)| fits(factor))
            .unwrap_or((1, "s"));
        write!(f, "{}{unit}", seconds / factor)
    }
}

/// A number of bytes: `64MiB`, `8GiB`, `1KiB`, or a plain number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Deserialize)]
#[serde(try_from = "Written")]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let units = [
            ("KiB", 1 << 10),
            ("MiB", 1 << 20),
            ("GiB", 1 << 30),
            ("TiB", 1 << 40),
            ("kB", 1_000),
            ("MB", 1_000_000),
            ("GB", 1_000_000_000),
            ("", 1),
        ];
        with_unit(text, &units)
            .map(Self)
            .ok_or_else(|| format!("{text:?} is not a size (examples: 64MiB, 8GiB)"))
    }
}

fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    units.iter().find_map(|(unit, factor)| {
        let number: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
        number.checked_mul(*factor)
    })
}

/// A number of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Deserialize)]
#[serde(try_from = "Written")]
pub struct Count(pub usize);

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.trim().parse().map(Self).map_err(|_| format!("{text:?} is not a number"))
    }
}
