//! Who counts as one client.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::client::Peer;

/// What is counted as one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Address {
    V4(Ipv4Addr),
    /// The first 64 bits: whoever has one address of such a network can usually take any of it (RFC 4291 section 2.5.1).
    V6(u64),
    User(u32),
}

impl Address {
    pub(super) fn of(peer: &Peer) -> Self {
        match peer {
            Peer::Tcp { remote, .. } => match remote.ip().to_canonical() {
                IpAddr::V4(address) => Self::V4(address),
                IpAddr::V6(address) => Self::V6(network(address)),
            },
            Peer::Unix { uid, .. } => Self::User(*uid),
        }
    }
}

fn network(address: Ipv6Addr) -> u64 {
    const HOST_BITS: u32 = 64;
    u64::try_from(address.to_bits() >> HOST_BITS).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> Peer {
        Peer::tcp(format!("{address}:1").parse().unwrap(), Ipv4Addr::LOCALHOST.into())
    }

    #[track_caller]
    fn check_same(one: &str, other: &str, same: bool) {
        assert_eq!(Address::of(&peer(one)) == Address::of(&peer(other)), same, "{one} {other}");
    }

    #[test]
    fn a_client_is_an_address_or_a_network_of_addresses() {
        check_same("10.0.0.1", "10.0.0.1", true);
        check_same("10.0.0.1", "10.0.0.2", false);
        check_same("10.0.0.1", "[::ffff:10.0.0.1]", true);
        check_same("[2001:db8:0:1::1]", "[2001:db8:0:1:ffff::2]", true);
        check_same("[2001:db8:0:1::1]", "[2001:db8:0:2::1]", false);
        let user = |uid| Address::of(&Peer::Unix { uid, gid: 0, pid: None });
        assert!(user(1) == user(1) && user(1) != user(2));
    }
}
