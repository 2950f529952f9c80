//! A container by the name or id that somebody typed, for `sockwarden why`.

use std::net::IpAddr;
use std::sync::Arc;

use super::recognise::Recogniser;
use super::report::networks_of;
use super::shared::Shared;
use crate::client::{Container, ContainerId};
use crate::engine::questions::ContainerRow;

/// An id is not shortened further than this.
const SHORTEST_ID: usize = 4;

/// Who a name means.
#[derive(Debug)]
pub enum Named {
    /// The container, with those that share its network, and the address from which it reaches us.
    Containers(Arc<[Arc<Container>]>, Option<IpAddr>),
    /// Our own container.
    Us,
    /// Nobody, or several by the beginning of an id; these are the names of those who could be clients.
    Nobody(Vec<String>),
}

impl Recogniser {
    /// The container of this name or id, as it would be recognised if it asked now.
    pub(super) async fn named(&self, name: &str) -> Result<Named, Shared> {
        let own = self.ourselves.look();
        let keep = move |row: ContainerRow| {
            let networks = networks_of(&own, &row);
            let shared = networks.into_iter().filter(|network| network.shared);
            let addresses: Vec<String> = shared.flat_map(|network| network.addresses).collect();
            Some((ContainerId::parse(&row.id)?, row.name().to_owned(), addresses))
        };
        let rows = self.engine.containers(keep).await.map_err(Arc::new)?;
        let is_id = |id: &ContainerId| {
            name.len() >= SHORTEST_ID && id.to_string().starts_with(&name.to_ascii_lowercase())
        };
        let mut found = rows.iter().filter(|(_, own, _)| own == name).collect::<Vec<_>>();
        if found.is_empty() {
            found = rows.iter().filter(|(id, ..)| is_id(id)).collect();
        }
        let [(id, _, addresses)] = found.as_slice() else {
            let others = rows.into_iter().filter(|(id, ..)| !self.ourselves.is_us(*id));
            return Ok(Named::Nobody(others.map(|(_, name, _)| name).collect()));
        };
        if self.ourselves.is_us(*id) {
            return Ok(Named::Us);
        }
        let address = addresses.iter().find_map(|address| address.parse().ok());
        Ok(match self.sharing(*id).await? {
            Some(containers) => Named::Containers(containers, address),
            None => Named::Nobody(Vec::new()),
        })
    }
}
