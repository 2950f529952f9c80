//! The networks on which we have addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::network::bare_address;
use crate::engine::questions::ContainerInspect;

/// The networks our own container is attached to, by our own address on them.
#[derive(Debug, Default, Clone)]
pub struct OwnNetworks {
    by_address: BTreeMap<IpAddr, String>,
    gateways: Vec<IpAddr>,
    aliases: BTreeSet<String>,
    names: Vec<(String, String)>,
}

impl OwnNetworks {
    /// What the engine said of our own container.
    pub fn new(inspect: &ContainerInspect) -> Self {
        let mut own = Self::default();
        for (name, endpoint) in inspect.network_settings.networks.iter().flatten() {
            own.names.push((endpoint.network_id.clone(), name.clone()));
            own.aliases.extend(endpoint.aliases.iter().flatten().cloned());
            for address in [&endpoint.ip_address, &endpoint.global_ipv6_address] {
                if let Some(address) = bare_address(address) {
                    own.by_address.insert(address, endpoint.network_id.clone());
                }
            }
            own.gateways.extend(
                [&endpoint.gateway, &endpoint.ipv6_gateway]
                    .into_iter()
                    .filter_map(|gateway| bare_address(gateway)),
            );
        }
        own
    }

    /// The network on which we have this address.
    pub fn network(&self, ours: IpAddr) -> Option<&str> {
        self.by_address.get(&ours).map(String::as_str)
    }

    /// Whether this is a name under which we are looked up, besides our container's own.
    pub fn has_alias(&self, name: &str) -> bool {
        self.aliases.contains(name)
    }

    /// All of them, by full id, with their names.
    pub fn names(&self) -> &[(String, String)] {
        &self.names
    }

    /// The names under which we are looked up, besides our container's own.
    pub fn aliases(&self) -> impl Iterator<Item = &String> {
        self.aliases.iter()
    }

    /// Whether this is the bridge of one of them.
    pub fn is_gateway(&self, address: IpAddr) -> bool {
        self.gateways.contains(&address)
    }

    /// Whether this network is one of them.
    pub fn has(&self, network: &str) -> bool {
        self.by_address.values().any(|id| id == network)
    }

    /// Whether we have no address on any of them.
    pub fn is_empty(&self) -> bool {
        self.by_address.is_empty()
    }

    /// Whether what a container's description says of an attachment means one of them: Docker writes the network's id there, and Podman
    /// its name.
    pub fn has_endpoint(&self, name: &str, network_id: &str) -> bool {
        self.has(network_id)
            || (network_id == name
                && self.names.iter().any(|(id, known)| known == name && self.has(id)))
    }

    /// Their full ids, each once.
    pub fn ids(&self) -> Vec<String> {
        let mut ids: Vec<_> = self.by_address.values().cloned().collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}
