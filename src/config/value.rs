//! Values with units.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

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

/// A duration: `90s`, `30m`, `4h`, `7d`. A bare number is refused, because `keep_jobs = 30` would mean seconds and delete
/// what was meant to stay for days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Deserialize)]
#[serde(try_from = "NumberOrText")]
pub struct Span(pub Duration);
from_number_or_text!(Span);

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

/// An address and a port to listen on. `localhost:8000` is the loopback address of IPv4, whatever names resolve to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Deserialize)]
#[serde(try_from = "String")]
pub struct Address(pub SocketAddr);

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let local = || {
            Some(SocketAddr::from(([127, 0, 0, 1], text.strip_prefix("localhost:")?.parse().ok()?)))
        };
        text.parse().ok().or_else(local).map(Self).ok_or_else(|| {
            format!("{text:?} is not an address with a port (examples: 127.0.0.1:8000, localhost:8000, [::]:8000)")
        })
    }
}

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Which log lines are written: a level, or a filter by module in the syntax of `RUST_LOG`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Deserialize)]
#[serde(try_from = "String")]
pub struct Filter(pub String);

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // In that syntax a lone word that is not a level names a module. It would be a mistyped level here, and a server
        // that logs nothing.
        let lone = |part: &&str| !part.is_empty() && !part.contains(['=', '[']);
        let mistyped = |part: &&str| part.parse::<LevelFilter>().is_err();
        match text.split(',').map(str::trim).filter(lone).find(mistyped) {
            Some(word) => Err(format!(
                "{word:?} is not a level (error, warn, info, debug, trace or off); for a module, write {word}=debug"
            )),
            None => EnvFilter::try_new(text)
                .map(|_| Self(text.to_owned()))
                .map_err(|error| error.to_string()),
        }
    }
}

impl TryFrom<String> for Filter {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// A number of bytes: `64MiB`, `8GiB`, `1KiB`, or a plain number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Deserialize)]
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

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// How alerts are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum AlertForm {
    /// A JSON object.
    #[default]
    Json,
    /// A sentence.
    Text,
}

/// Who may look at the pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Pages {
    /// Whoever may look without a token in the access mode; others log in.
    #[default]
    Auto,
    /// Whoever has logged in.
    Login,
    /// Everybody, in every mode; nobody can change anything or log in.
    ReadOnly,
    /// Nobody: there are no pages.
    Off,
}

/// What callers without a token may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Mode {
    /// Everything except administration.
    #[default]
    Open,
    /// What a contributor may do; agents need tokens.
    Contributor,
    /// Nothing except ask for a token.
    Locked,
}

/// Which jobs of clients callers without a token may not act on, in the contributor mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum GuardedJobs {
    /// Those in restricted queues, and those that name secrets.
    #[default]
    Restricted,
    /// All of them.
    All,
}

macro_rules! words {
    ($type:ident: $($word:literal => $variant:ident),*) => {
        impl FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(format!("{text:?} is not one of {}", [$($word),*].join(", "))),
                }
            }
        }

        impl TryFrom<String> for $type {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }
    };
}

words!(AlertForm: "json" => Json, "text" => Text);
words!(LogFormat: "text" => Text, "json" => Json);
words!(GuardedJobs: "restricted" => Restricted, "all" => All);
words!(Pages: "auto" => Auto, "login" => Login, "read-only" => ReadOnly, "off" => Off);
words!(Mode: "open" => Open, "contributor" => Contributor, "locked" => Locked);

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// Origins of URLs (scheme, host and port), separated by commas. A path is ignored, because a site
/// may give a whole URL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Origins(pub Vec<String>);

impl FromStr for Origins {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let origin = |text: &str| {
            let url = text.to_ascii_lowercase();
            let (scheme, rest) = url.split_once("://").unwrap_or_default();
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            if !matches!(scheme, "http" | "https") || host.is_empty() || host.contains('@') {
                return Err(format!("{text:?} is not an origin (example: https://ci.example.com)"));
            }
            Ok(format!("{scheme}://{host}"))
        };
        parts(text).map(origin).collect::<Result<_, _>>().map(Self)
    }
}

impl TryFrom<String> for Origins {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// A URL; empty for none.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Deserialize)]
#[serde(try_from = "String")]
pub struct Link(pub String);

impl Link {
    /// Its scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> Vec<String> {
        self.0.parse::<Origins>().unwrap_or_default().0
    }
}

impl FromStr for Link {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text.parse::<Origins>() {
            Ok(Origins(origins)) if origins.len() <= 1 => Ok(Self(text.to_owned())),
            // It may hold a secret, so it is not repeated.
            _ => Err("it is not a URL (example: https://ntfy.example.com/lab)".to_owned()),
        }
    }
}

impl TryFrom<String> for Link {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Networks, separated by commas; a plain address is a network of one address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Proxies(pub Vec<IpNet>);

impl FromStr for Proxies {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let network = |text: &str| {
            let address = || text.parse::<IpAddr>().map(IpNet::from);
            text.parse::<IpNet>()
                .or_else(|_| address())
                .map_err(|_| format!("{text:?} is not a network (example: 10.0.0.0/8)"))
        };
        parts(text).map(network).collect::<Result<_, _>>().map(Self)
    }
}

impl TryFrom<String> for Proxies {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Names of hosts, separated by commas; they end up in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Hosts(pub Vec<String>);

impl FromStr for Hosts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let host = |text: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            if !text.chars().all(fits) {
                return Err(format!(
                    "{text:?} is not the name of a host (example: lab.example.com)"
                ));
            }
            Ok(text.to_ascii_lowercase())
        };
        parts(text).map(host).collect::<Result<_, _>>().map(Self)
    }
}

impl TryFrom<String> for Hosts {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// A number of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Deserialize)]
#[serde(try_from = "NumberOrText")]
pub struct Count(pub usize);
from_number_or_text!(Count);

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.trim().parse().map(Self).map_err(|_| format!("{text:?} is not a number"))
    }
}

/// A port, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Deserialize)]
#[serde(try_from = "NumberOrText")]
pub struct Port(pub Option<u16>);
from_number_or_text!(Port);

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "none" => Ok(Self(None)),
            port => match port.parse() {
                Ok(port) => Ok(Self(Some(port))),
                Err(_) => Err(format!("{text:?} is neither a port nor none")),
            },
        }
    }
}

/// Something that is on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Deserialize)]
#[serde(try_from = "TruthOrText")]
pub struct Switch(pub bool);

impl FromStr for Switch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.trim().parse().map(Self).map_err(|_| format!("{text:?} is neither true nor false"))
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum TruthOrText {
    Truth(bool),
    Text(String),
}

impl TryFrom<TruthOrText> for Switch {
    type Error = String;

    fn try_from(written: TruthOrText) -> Result<Self, String> {
        match written {
            TruthOrText::Truth(truth) => Ok(Self(truth)),
            TruthOrText::Text(text) => text.parse(),
        }
    }
}

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
