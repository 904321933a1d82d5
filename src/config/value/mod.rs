//! Values with units.

mod amount;
mod choice;
mod network;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

pub use amount::{Count, Size, Span};
pub use choice::{AlertForm, Filter, GuardedJobs, LogFormat, Mode, Pages, Switch};
pub use network::{Address, Hosts, Link, Origins, Port, Proxies};

/// A value as it stands in a file. What it means is read from its text, so that `"8000"` and `8000` are the same.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Truth(bool),
    Number(i64),
    Fraction(f64),
    Text(String),
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truth(truth) => truth.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Fraction(fraction) => fraction.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

macro_rules! by_parsing {
    ($($type:ident),*) => {$(
        impl TryFrom<Written> for $type {
            type Error = String;

            fn try_from(written: Written) -> Result<Self, String> {
                written.to_string().parse()
            }
        }
    )*};
}

by_parsing!(
    Span,
    Size,
    Count,
    AlertForm,
    Filter,
    GuardedJobs,
    LogFormat,
    Mode,
    Pages,
    Switch,
    Address,
    Hosts,
    Link,
    Origins,
    Port,
    Proxies
);

macro_rules! used_as {
    ($($written:ident => $used:ty),*) => {$(
        impl From<$written> for $used {
            fn from(written: $written) -> Self {
                written.0
            }
        }
    )*};
}

used_as!(
    Span => Duration, Size => u64, Address => SocketAddr, Proxies => Vec<IpNet>, Filter => String,
    Count => usize, Switch => bool, Hosts => Vec<String>
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_understood() {
        assert_eq!("4h".parse(), Ok(Span(Duration::from_hours(4))));
        for text in ["0s", "90s", "5m", "4h", "7d"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        assert_eq!("0s".parse(), Ok(Span(Duration::ZERO)));
        assert_eq!("64MiB".parse(), Ok(Size(64 << 20)));
        assert_eq!("2 GB".parse(), Ok(Size(2_000_000_000)));
        for bad in ["", "h", "90", "0", "-1d", "1w", "99999999999999999d"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
        assert_eq!("localhost:80".parse(), Ok(Address(([127, 0, 0, 1], 80).into())));
        for bad in ["localhost", "localhost:x", "example.com:80", "80"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
        for good in ["info", "WARN", "off", "info,hyper=debug", "testflinger_server::store=trace"] {
            assert!(good.parse::<Filter>().is_ok(), "{good}");
        }
        for bad in ["verbose", "info,verbose", "a=b=c"] {
            assert!(bad.parse::<Filter>().is_err(), "{bad}");
        }
        for bad in ["", "MiB", "1.5GiB", "99999999999GiB"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }
}
