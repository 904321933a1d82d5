//! Where webhooks may be.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::Error;

/// The error for an address that this server sends no request to.
pub(super) const FORBIDDEN: &str = "This address is not allowed for webhooks.";

/// The targets that a site allows.
#[derive(Clone, Debug)]
pub enum Targets {
    /// Any host, except this machine and addresses that only it can reach.
    Any,
    /// These origins, such as `https://ci.example.com`, in lower case.
    Origins(Vec<String>),
}

impl Targets {
    /// Whether the site has named them.
    pub(super) const fn are_listed(&self) -> bool {
        matches!(self, Self::Origins(_))
    }

    /// Refuses a URL that is not allowed.
    pub(super) fn check(&self, url: &Uri) -> Result<(), Error> {
        let origin = format!(
            "{}://{}",
            url.scheme_str().unwrap_or_default().to_ascii_lowercase(),
            url.authority().map(|it| it.as_str().to_ascii_lowercase()).unwrap_or_default()
        );
        match self {
            Self::Any => Ok(()),
            Self::Origins(origins) if origins.iter().any(|known| same(known, &origin)) => Ok(()),
            Self::Origins(_) => Err(Error::Refused("This URL is not on the list of webhooks.")),
        }
    }
}

/// Whether two origins are the same; a default port may be written or left out.
fn same(a: &str, b: &str) -> bool {
    let plain = |origin: &str| match origin.split_once("://") {
        Some(("http", host)) => format!("http://{}", host.trim_end_matches(":80")),
        Some(("https", host)) => format!("https://{}", host.trim_end_matches(":443")),
        _ => origin.to_owned(),
    };
    plain(a) == plain(b)
}

/// Resolves names as usual and leaves out forbidden addresses.
#[derive(Debug)]
pub struct Guard {
    resolver: DefaultResolver,
    /// This machine itself is asked too, because the site has listed what may be asked.
    this_machine: bool,
}

impl Guard {
    pub(super) fn new(targets: &Targets) -> Self {
        Self { resolver: DefaultResolver::default(), this_machine: targets.are_listed() }
    }

    fn allows(&self, address: IpAddr) -> bool {
        let address = plain(address);
        !is_forbidden(address) && (self.this_machine || !is_own(address))
    }
}

impl Resolver for Guard {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut allowed = self.empty();
        for address in &self.resolver.resolve(uri, config, timeout)? {
            if self.allows(address.ip()) {
                allowed.push(*address);
            }
        }
        if allowed.is_empty() {
            let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
            return Err(ureq::Error::Io(denied));
        }
        Ok(allowed)
    }
}

/// The address without the ways to write an IPv4 address as an IPv6 one: mapped, compatible, NAT64.
fn plain(address: IpAddr) -> IpAddr {
    const NAT64: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];
    match address.to_canonical() {
        IpAddr::V6(v6) if v6.segments()[..6] == NAT64 || v6.segments()[..6] == [0; 6] => {
            match v6.segments() {
                // `::` and `::1` are no IPv4 addresses.
                [.., 0, 0 | 1] => v6.into(),
                [.., high, low] => {
                    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)).into()
                }
            }
        }
        address => address,
    }
}

/// Whether an address is this machine's: nothing else can be bound to.
fn is_own(address: IpAddr) -> bool {
    address.is_loopback() || std::net::UdpSocket::bind((address, 0)).is_ok()
}

/// Whether no request may go to an address: link-local addresses, where most clouds have their metadata service, and
/// the few such services that are elsewhere.
fn is_forbidden(address: IpAddr) -> bool {
    const ALIBABA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
    const AMAZON: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254);
    match address {
        IpAddr::V4(v4) => {
            v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_multicast()
                || v4.is_broadcast()
                || v4 == ALIBABA
        }
        IpAddr::V6(v6) => {
            v6.is_unicast_link_local() || v6.is_unspecified() || v6.is_multicast() || v6 == AMAZON
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_and_metadata_addresses_are_forbidden_in_every_spelling() {
        for bad in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "fe80::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "0.0.0.0",
            "::",
            "224.0.0.1",
        ] {
            assert!(is_forbidden(plain(bad.parse().unwrap())), "{bad}");
        }
        for good in ["127.0.0.1", "10.0.0.1", "192.168.1.1", "8.8.8.8", "fd00::1", "::1"] {
            assert!(!is_forbidden(plain(good.parse().unwrap())), "{good}");
        }
    }

    #[test]
    fn this_machine_is_asked_only_where_targets_are_listed() {
        let (any, listed) = (Guard::new(&Targets::Any), Guard::new(&Targets::Origins(Vec::new())));
        for own in
            ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1"]
        {
            let own = own.parse().unwrap();
            assert!(!any.allows(own) && listed.allows(own), "{own}");
        }
        assert!(any.allows("192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn only_listed_origins_are_asked() {
        let targets = Targets::Origins(vec![
            "https://ci.example.com".to_owned(),
            "http://hook:8080".to_owned(),
        ]);
        let allows = |url: &str| targets.check(&url.parse().unwrap()).is_ok();
        assert!(allows("https://ci.example.com/x") && allows("https://CI.example.com:443/"));
        assert!(allows("http://hook:8080/a?b"));
        for bad in [
            "http://ci.example.com/",
            "https://ci.example.com:444/",
            "https://ci.example.com.evil.org/",
            "http://hook/",
            "https://ci.example.com@evil.org/",
        ] {
            assert!(!allows(bad), "{bad}");
        }
    }
}
