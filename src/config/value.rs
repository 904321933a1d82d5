//! Values with units.

use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

/// A number or text in a file.
#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(u64),
    Text(String),
}

impl NumberOrText {
    fn text(self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text,
        }
    }
}

macro_rules! from_number_or_text {
    ($type:ident) => {
        impl TryFrom<NumberOrText> for $type {
            type Error = String;

            fn try_from(value: NumberOrText) -> Result<Self, String> {
                value.text().parse()
            }
        }
    };
}

/// A span of time: `90s`, `30m`, `4h`, `7d`, or whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "NumberOrText")]
pub struct Span(pub Duration);
from_number_or_text!(Span);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let units = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400), ("", 1)];
        let seconds = with_unit(text, &units)
            .ok_or_else(|| format!("{text:?} is no time such as 90s, 30m, 4h or 7d"))?;
        Ok(Self(Duration::from_secs(seconds)))
    }
}

/// A number of bytes: `64MiB`, `8GiB`, `1KiB`, or a plain number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "NumberOrText")]
pub struct Size(pub u64);
from_number_or_text!(Size);

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
            .ok_or_else(|| format!("{text:?} is no size such as 64MiB or 8GiB"))
    }
}

fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    units.iter().find_map(|(unit, factor)| {
        let number: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
        number.checked_mul(*factor)
    })
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("{text:?} is neither text nor json")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_understood() {
        assert_eq!("4h".parse(), Ok(Span(Duration::from_hours(4))));
        assert_eq!("90".parse(), Ok(Span(Duration::from_secs(90))));
        assert_eq!("64MiB".parse(), Ok(Size(64 << 20)));
        assert_eq!("2 GB".parse(), Ok(Size(2_000_000_000)));
        for bad in ["", "h", "-1d", "1w", "99999999999999999d"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
        for bad in ["", "MiB", "1.5GiB", "99999999999GiB"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }
}
