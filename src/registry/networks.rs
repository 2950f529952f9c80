//! All networks of the engine: which container has an address, on whichever network it is.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::fresh::Fresh;
use super::network::{Holder, NetworkView};
use super::shared::{Shared, inspect, lock};
use crate::client::ContainerId;
use crate::engine::questions::NetworkInspect;
use crate::engine::{Engine, OwnCall};

/// Asks the engine who has which address. Every answer is newer than its question, and askers that come at once share one.
#[derive(Debug)]
pub struct Networks {
    engine: Engine,
    list: Fresh<Result<Arc<[NetworkView]>, Shared>>,
    looks: Mutex<HashMap<String, Arc<OneNetwork>>>,
    departures: AtomicU64,
}

/// The question about one network.
type OneNetwork = Fresh<Result<Arc<NetworkView>, Shared>>;

/// What the engine's networks say of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It is in the subnet of no network.
    Unclaimed,
    /// It is the host's own address on a network.
    Gateway,
    /// It is of a network, and no container has it.
    Nobody,
    /// One container has it, on the network with this id.
    Container(ContainerId, String),
    /// Several containers have it.
    Several,
}

impl Found {
    /// Takes in what one more network says; a container outweighs a free address, and that one a gateway.
    fn and(self, holder: &Holder, network: &str) -> Self {
        match (self, holder) {
            (Self::Several, _) | (_, Holder::Several) => Self::Several,
            (Self::Container(one, at), Holder::Container(other)) => {
                if one == *other {
                    Self::Container(one, at)
                } else {
                    Self::Several
                }
            }
            (Self::Container(id, at), _) => Self::Container(id, at),
            (_, Holder::Container(id)) => Self::Container(*id, network.to_owned()),
            (Self::Nobody, _) | (_, Holder::Nobody) => Self::Nobody,
            (Self::Gateway, _) | (_, Holder::Gateway) => Self::Gateway,
            (Self::Unclaimed, Holder::Elsewhere) => Self::Unclaimed,
        }
    }
}

impl Networks {
    /// The networks of this engine; nothing is asked yet.
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            list: Fresh::default(),
            looks: Mutex::default(),
            departures: AtomicU64::new(0),
        }
    }

    /// Who has this address now.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn find(&self, address: IpAddr) -> Result<Found, Shared> {
        let found = self.find_all(&[address]).await?;
        Ok(found.into_iter().next().unwrap_or(Found::Unclaimed))
    }

    /// Who has these addresses now, in their order.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn find_all(&self, addresses: &[IpAddr]) -> Result<Vec<Found>, Shared> {
        let mut found = vec![Found::Unclaimed; addresses.len()];
        let networks = self.list().await?;
        for network in networks.iter() {
            if !addresses.iter().any(|address| network.claims(*address)) {
                continue;
            }
            let view = self.look(&network.id).await?;
            for (address, found) in addresses.iter().zip(&mut found) {
                let holder = match view.holder(*address) {
                    // A network that is removed just now, or that has no address of a sudden.
                    Holder::Elsewhere if network.claims(*address) => Holder::Nobody,
                    holder => holder,
                };
                let before = std::mem::replace(found, Found::Several);
                *found = before.and(&holder, &network.id);
            }
        }
        Ok(found)
    }

    /// A look at one network.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn look(&self, network: &str) -> Result<Arc<NetworkView>, Shared> {
        let query = Arc::clone(lock(&self.looks).entry(network.to_owned()).or_default());
        let ask = || async {
            let inspect: Option<NetworkInspect> =
                self.engine.ask_for(OwnCall::Network(network)).await.map_err(Arc::new)?;
            let mut view = NetworkView::new(inspect.as_ref());
            self.part_guests(&mut view).await?;
            Ok(Arc::new(view))
        };
        let view = query.get(ask).await;
        if view.as_ref().is_ok_and(|view| view.is_gone) {
            lock(&self.looks).remove(network);
        }
        view
    }

    /// Podman 4 lists whoever uses a container's network (`network_mode: container:…`) beside that container, under the same address;
    /// Docker and Podman 5 list the container alone. Who shares with whom never changes.
    async fn part_guests(&self, view: &mut NetworkView) -> Result<(), Shared> {
        let contested = view.contested();
        for guest in &contested {
            let inspect = inspect(&self.engine, *guest).await?;
            let host = inspect.and_then(|inspect| inspect.host_config.shares_with());
            if host.is_some_and(|host| host != *guest && contested.contains(&host)) {
                view.remove(*guest);
            }
        }
        Ok(())
    }

    /// All networks, without who is on them.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn list(&self) -> Result<Arc<[NetworkView]>, Shared> {
        let ask = || async {
            let networks: Option<Vec<NetworkInspect>> =
                self.engine.ask_for(OwnCall::Networks).await.map_err(Arc::new)?;
            let networks = networks.ok_or_else(|| {
                Arc::new(crate::engine::EngineError::Refused(http::StatusCode::NOT_FOUND))
            })?;
            Ok(networks.iter().map(|network| NetworkView::new(Some(network))).collect())
        };
        self.list.get(ask).await
    }

    /// A mark that changes whenever a container is said to have gone from an address.
    pub fn departures(&self) -> u64 {
        self.departures.load(Ordering::SeqCst)
    }

    /// Some container has gone from an address, says the engine.
    pub fn departed(&self) {
        self.departures.fetch_add(1, Ordering::SeqCst);
    }
}
