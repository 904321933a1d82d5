//! Addresses, hosts and URLs.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;
use serde::Deserialize;

use super::Written;

/// An address and a port to listen on. `localhost:8000` is the loopback address of IPv4, whatever names resolve to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Deserialize)]
#[serde(try_from = "Written")]
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

/// A port, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Deserialize)]
#[serde(try_from = "Written")]
pub struct Port(pub Option<u16>);

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

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// Origins of URLs (scheme, host and port), separated by commas. A path is ignored, because a site
/// may give a whole URL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
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

/// A URL; empty for none.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Deserialize)]
#[serde(try_from = "Written")]
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

/// Networks, separated by commas; a plain address is a network of one address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
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

/// Names of hosts, separated by commas; they end up in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
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
