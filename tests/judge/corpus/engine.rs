//! The engine's answers to our own questions: none makes us panic, and nobody is taken for the holder of an address that the answer does
//! not give to exactly one container.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;
use sockwarden::client::ContainerId;
use sockwarden::engine::questions::{
    ContainerInspect, ContainerRow, EngineVersion, ImageInspect, NetworkInspect,
};
use sockwarden::registry::network::{Holder, NetworkView};
use sockwarden::registry::own_networks::OwnNetworks;
use sockwarden::request::ApiVersion;

pub(crate) fn check(input: &[u8]) {
    rows(input);
    networks(input);
    own_networks(input);
    let _ = serde_json::from_slice::<ImageInspect>(input);
    if let Ok(version) = serde_json::from_slice::<EngineVersion>(input)
        && let Some(api) = ApiVersion::parse(&version.api_version)
    {
        assert_eq!(api.to_string(), version.api_version);
    }
}

fn rows(input: &[u8]) {
    for row in serde_json::from_slice::<Vec<ContainerRow>>(input).into_iter().flatten() {
        assert!(!row.name().contains('/'), "{row:?}");
        if let Some(id) = ContainerId::parse(&row.id) {
            assert_eq!(id.to_string(), row.id);
        }
    }
}

fn networks(input: &[u8]) {
    let Ok(inspect) = serde_json::from_slice::<NetworkInspect>(input) else { return };
    let view = NetworkView::new(Some(&inspect));
    assert!(!view.is_gone);
    let Ok(Value::Object(raw)) = serde_json::from_slice(input) else { return };
    let members: Vec<(&String, &Value)> =
        raw.get("Containers").and_then(Value::as_object).into_iter().flatten().collect();
    // serde takes a list for an object with its values in order; no engine writes one.
    if members.iter().any(|(_, member)| member.is_array()) {
        return;
    }
    let holds = |member: &Value, address: IpAddr| {
        let held = |key| member.get(key).and_then(Value::as_str).and_then(bare) == Some(address);
        usize::from(held("IPv4Address")) + usize::from(held("IPv6Address"))
    };
    let mut addresses: BTreeSet<IpAddr> = ["127.0.0.1", "172.18.0.2", "::1", "fd00::2"]
        .iter()
        .filter_map(|address| address.parse().ok())
        .collect();
    for (_, member) in &members {
        addresses.extend(
            member
                .as_object()
                .into_iter()
                .flatten()
                .filter_map(|(_, value)| value.as_str().and_then(bare)),
        );
    }
    for address in addresses {
        let of_containers: Vec<_> = members
            .iter()
            .filter(|(id, _)| is_full_id(id))
            .flat_map(|(id, member)| vec![id.as_str(); holds(member, address)])
            .collect();
        match (view.holder(address), of_containers.as_slice()) {
            (Holder::Container(id), [only]) => assert_eq!(id.to_string(), *only),
            (Holder::Several, [_, _, ..])
            | (Holder::Gateway | Holder::Nobody | Holder::Elsewhere, []) => {}
            (held, listed) => panic!("{address} is held by {held:?}, the engine lists {listed:?}"),
        }
    }
    let containers = view.containers();
    assert!(
        containers.is_sorted()
            && containers.iter().collect::<BTreeSet<_>>().len() == containers.len()
    );
    for id in containers {
        assert!(members.iter().any(|(listed, _)| **listed == id.to_string()), "{id}");
    }
}

fn own_networks(input: &[u8]) {
    let Ok(inspect) = serde_json::from_slice::<ContainerInspect>(input) else { return };
    let own = OwnNetworks::new(&inspect);
    for id in own.ids() {
        assert!(own.has(&id));
    }
    for endpoint in inspect.network_settings.networks.iter().flatten().map(|(_, it)| it) {
        for address in [&endpoint.ip_address, &endpoint.global_ipv6_address] {
            if let Some(address) = bare(address) {
                let network = own.network(address).unwrap();
                assert!(own.has(network), "{network}");
            }
        }
        for gateway in [&endpoint.gateway, &endpoint.ipv6_gateway] {
            assert!(bare(gateway).is_none_or(|gateway| own.is_gateway(gateway)));
        }
    }
}

fn bare(text: &str) -> Option<IpAddr> {
    let address = text.split_once('/').map_or(text, |(address, _)| address);
    address.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

fn is_full_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
