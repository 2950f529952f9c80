//! A network as the engine describes it: who has which address.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::client::ContainerId;
use crate::engine::questions::NetworkInspect;

/// One look at a network.
#[derive(Debug, Default)]
pub struct NetworkView {
    /// Its full id.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// The engine has no such network any more.
    pub is_gone: bool,
    members: Vec<(IpAddr, ContainerId)>,
    subnets: Vec<IpNet>,
    gateways: Vec<IpAddr>,
}

/// Who has an address.
#[derive(Debug, PartialEq, Eq)]
pub enum Holder {
    /// One container.
    Container(ContainerId),
    /// The bridge itself: the host, or whoever came through a published port.
    Gateway,
    /// Several containers, says the engine.
    Several,
    /// Nobody, though the address is of this network.
    Nobody,
    /// The address is not of this network.
    Elsewhere,
}

impl NetworkView {
    /// What the engine said of it; `None` where it has no such network.
    pub fn new(inspect: Option<&NetworkInspect>) -> Self {
        let Some(inspect) = inspect else { return Self { is_gone: true, ..Self::default() } };
        let members = inspect
            .containers
            .iter()
            .flatten()
            .filter_map(|(id, member)| Some((ContainerId::parse(id)?, member)));
        let members = members.flat_map(|(id, member)| {
            let addresses = [&member.ipv4_address, &member.ipv6_address];
            addresses.into_iter().filter_map(move |address| Some((bare_address(address)?, id)))
        });
        let pools = inspect.ipam.config.iter().flatten();
        Self {
            id: inspect.id.clone(),
            name: inspect.name.clone(),
            is_gone: false,
            members: members.collect(),
            subnets: pools.clone().filter_map(|pool| pool.subnet.parse().ok()).collect(),
            gateways: pools.filter_map(|pool| bare_address(&pool.gateway)).collect(),
        }
    }

    /// Who has this address here; IPv4-mapped IPv6 addresses have none.
    pub fn holder(&self, address: IpAddr) -> Holder {
        let mut holders =
            self.members.iter().filter(|(held, _)| *held == address).map(|(_, id)| *id);
        match (holders.next(), holders.next()) {
            (Some(_), Some(_)) => Holder::Several,
            (Some(id), None) => Holder::Container(id),
            (None, _) if self.gateways.contains(&address) => Holder::Gateway,
            (None, _) if self.subnets.iter().any(|subnet| subnet.contains(&address)) => {
                Holder::Nobody
            }
            (None, _) => Holder::Elsewhere,
        }
    }

    /// Whether the address is of this network, whoever has it.
    pub fn claims(&self, address: IpAddr) -> bool {
        self.gateways.contains(&address)
            || self.subnets.iter().any(|subnet| subnet.contains(&address))
    }

    /// The containers that have an address which others have as well, each once.
    pub fn contested(&self) -> Vec<ContainerId> {
        let shares = |(address, id): &&(IpAddr, ContainerId)| {
            self.members.iter().any(|(held, other)| held == address && other != id)
        };
        let mut ids: Vec<_> = self.members.iter().filter(shares).map(|(_, id)| *id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Takes out a container that uses the network of another, which is here under the same address.
    pub fn remove(&mut self, guest: ContainerId) {
        self.members.retain(|(_, id)| *id != guest);
    }

    /// The containers on the network, each once.
    pub fn containers(&self) -> Vec<ContainerId> {
        let mut ids: Vec<_> = self.members.iter().map(|(_, id)| *id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// An address that the engine may write with a prefix length behind it.
pub fn bare_address(text: &str) -> Option<IpAddr> {
    text.split('/').next()?.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> NetworkView {
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        let json = serde_json::json!({
            "Id": "n", "Name": "net",
            "IPAM": { "Config": [{ "Subnet": "172.30.9.0/24", "Gateway": "172.30.9.1" }, { "Subnet": "fd00:9::/64", "Gateway": "fd00:9::1/64" }] },
            "Containers": {
                a.clone(): { "Name": "a", "IPv4Address": "172.30.9.2/24", "IPv6Address": "fd00:9::2/64" },
                b: { "Name": "b", "IPv4Address": "172.30.9.3/24", "IPv6Address": "" },
                "ep-1234": { "Name": "x", "IPv4Address": "172.30.9.4/24", "IPv6Address": "" },
            },
        });
        NetworkView::new(Some(&serde_json::from_value(json).unwrap()))
    }

    #[track_caller]
    fn check(address: &str, want: &Holder) {
        assert_eq!(view().holder(address.parse().unwrap()), *want, "{address}");
    }

    #[test]
    fn addresses_have_holders() {
        let id = |digit: &str| ContainerId::parse(&digit.repeat(64)).unwrap();
        check("172.30.9.2", &Holder::Container(id("a")));
        check("fd00:9::2", &Holder::Container(id("a")));
        check("172.30.9.3", &Holder::Container(id("b")));
        check("172.30.9.4", &Holder::Nobody);
        check("172.30.9.1", &Holder::Gateway);
        check("fd00:9::1", &Holder::Gateway);
        check("172.30.8.2", &Holder::Elsewhere);
        check("127.0.0.1", &Holder::Elsewhere);
    }

    #[test]
    fn two_holders_are_none() {
        let json = serde_json::json!({ "Containers": {
            "a".repeat(64): { "IPv4Address": "10.0.0.2/24" }, "b".repeat(64): { "IPv4Address": "10.0.0.2/24" },
        } });
        let view = NetworkView::new(Some(&serde_json::from_value(json).unwrap()));
        assert_eq!(view.holder("10.0.0.2".parse().unwrap()), Holder::Several);
    }
}
