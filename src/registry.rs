//! Which container is asking.
//!
//! A connection is recognised by asking the engine, after accept, who has its source address: on the network it came over, and if that
//! says nothing, on any network of the engine. A network's own view is right from a container's first packet to its last, where lists and
//! events are late (measured on engine 20.10). What is remembered are only things that cannot change: a container's labels, by its full id.
//! Events are listened to for what must *end*: the connections of containers that die, leave a network or lose their address.
//!
//! Not protected against: a neighbour on the same network that forges source addresses (it needs `CAP_NET_RAW`, which containers have
//! by default). docs/per-container-allowlists.md says what to do about it.

mod departed;
mod directory;
mod entry;
mod epoch;
mod follow;
mod fresh;
mod known;
#[cfg(test)]
pub(crate) mod mistakes;
mod named;
pub mod network;
mod networks;
mod ourselves;
mod own_container;
pub mod own_networks;
mod recognise;
mod report;
mod sessions;
mod shared;

use std::sync::Arc;

#[cfg(test)]
pub(crate) use departed::GRACE;
pub use directory::LabelPolicy;
pub use named::Named;
pub use networks::{Found, Networks};
pub use own_container::{OwnContainer, OwnContainerError};
pub use recognise::Recognised;
pub use report::{ClientReport, NetworkReport};
pub use sessions::{Cut, Session};

use crate::clauses::Protected;
use crate::client::{ContainerId, Peer};
use crate::engine::Engine;
use crate::request::json::skim::Wanted;
use crate::rule::labels::creator::is_lineage;
use crate::rule::labels::is_policy;
use directory::Directory;
use epoch::Epoch;
use follow::Follower;
use ourselves::Ourselves;
use recognise::Recogniser;
use report::{Reporter, Told};
use sessions::Sessions;
use shared::Shared;

/// The containers of the engine, and the connections they have to us.
#[derive(Debug)]
pub struct Registry {
    ourselves: Arc<Ourselves>,
    networks: Arc<Networks>,
    epoch: Arc<Epoch>,
    recogniser: Recogniser,
    reporter: Arc<Reporter>,
    follower: Arc<Follower>,
}

impl Registry {
    /// Finds our own container; nothing is known of others before [`Registry::keep_fresh`] runs, and then the engine is asked.
    ///
    /// # Errors
    /// When our own container is not found after three tries.
    pub async fn new(
        engine: Engine,
        own: &OwnContainer,
        labels: LabelPolicy,
    ) -> Result<Arc<Self>, OwnContainerError> {
        let labels = Arc::new(labels);
        let prefixes = labels.prefixes.clone();
        let engine = engine
            .reading_labels(Wanted::new(move |key| is_policy(key, &prefixes) || is_lineage(key)));
        let ourselves = Ourselves::find(engine.clone(), own, Arc::clone(&labels)).await?;
        let ourselves = Arc::new(ourselves);
        let networks = Arc::new(Networks::new(engine.clone()));
        let directory = Arc::new(Directory::new(engine.clone(), Arc::clone(&labels)));
        let sessions = Arc::new(Sessions::default());
        let epoch = Arc::new(Epoch::default());
        let reporter = Arc::new(Reporter {
            engine: engine.clone(),
            labels,
            ourselves: Arc::clone(&ourselves),
            networks: Arc::clone(&networks),
            directory: Arc::clone(&directory),
            sessions: Arc::clone(&sessions),
            told: Told::default(),
        });
        let recogniser = Recogniser {
            engine: engine.clone(),
            ourselves: Arc::clone(&ourselves),
            networks: Arc::clone(&networks),
            directory: Arc::clone(&directory),
            sessions: Arc::clone(&sessions),
            epoch: Arc::clone(&epoch),
        };
        let follower = Arc::new(Follower {
            engine,
            ourselves: Arc::clone(&ourselves),
            networks: Arc::clone(&networks),
            directory,
            sessions,
            epoch: Arc::clone(&epoch),
            reporter: Arc::clone(&reporter),
        });
        Ok(Arc::new(Self { ourselves, networks, epoch, recogniser, reporter, follower }))
    }

    /// Makes sure that the engine can say who comes to us over TCP.
    ///
    /// # Errors
    /// When we have no address that it knows after three tries, or it does not answer.
    pub async fn sees_clients(&self) -> Result<(), OwnContainerError> {
        self.ourselves.sees_clients().await
    }

    /// Follows the engine's events for ever.
    pub async fn keep_fresh(self: Arc<Self>) {
        Arc::clone(&self.follower).keep_fresh().await;
    }

    /// Whether our knowledge follows the engine's events right now.
    pub fn is_fresh(&self) -> bool {
        self.epoch.is_fresh()
    }

    /// Who has which address on the engine's networks.
    pub fn networks(&self) -> Arc<Networks> {
        Arc::clone(&self.networks)
    }

    /// What no client may touch, as it is now.
    ///
    /// # Errors
    /// When events are lost and the engine does not answer, so that what we knew may be old.
    pub async fn protected(&self) -> Result<Arc<Protected>, Shared> {
        if !self.is_fresh() {
            self.ourselves.refresh().await?;
        }
        Ok(self.protected_now())
    }

    /// The same, as far as it is known.
    pub fn protected_now(&self) -> Arc<Protected> {
        self.ourselves.protected_with(self.recogniser.directory.known().makers())
    }

    /// Says who a peer is, from engine data newer than this call; `cut` is used when the answer stops being true.
    pub async fn recognise(&self, peer: &Peer, cut: &Arc<Cut>) -> Recognised {
        self.recogniser.recognise(peer, cut).await
    }

    /// The container of this name or id, as it would be recognised if it asked now.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn named(&self, name: &str) -> Result<Named, Shared> {
        self.recogniser.named(name).await
    }

    /// Whether what was recognised still stands without asking the engine.
    pub fn is_current(&self, recognised: &Recognised) -> bool {
        recognised.is_current(&self.epoch)
    }

    /// Whether a peer's address is the gateway of a network of ours, which many may come through.
    pub fn is_gateway(&self, peer: &Peer) -> bool {
        peer.ip().is_some_and(|address| self.ourselves.look().networks.is_gateway(address))
    }

    /// The label prefix that messages suggest.
    pub fn suggested_prefix(&self) -> &str {
        self.reporter.suggested_prefix()
    }

    /// The clients there are: containers with labels of ours, and those that share a network with us.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn clients(
        &self,
        last_refusal: impl Fn(ContainerId) -> Option<String>,
    ) -> Result<Vec<ClientReport>, Shared> {
        self.reporter.clients(last_refusal).await
    }
}
