//! The network that counts as one caller.

use std::net::{IpAddr, Ipv6Addr};

/// IPv4 by address, IPv6 by /64, which one host can fill at will. `::ffff:a.b.c.d` is IPv4: taken as IPv6, the whole
/// IPv4 internet would be one network.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}
