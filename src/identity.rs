//! Who asks on a connection, and by what terms: the one door between the requests of a connection and all that knows about identity.
//!
//! A [`Visitor`] lives as long as its connection. It asks the registry which container the peer is, remembers the answer while it holds,
//! asks `allowfrom` where the default list could apply, and owns the switch that ends the connection when the answer stops being true.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::admission::AdmissionList;
use crate::bounds::{Limit, Permit};
use crate::clauses::Protected;
use crate::client::{Admission, Client, Identity, Peer, WhyUnknown};
use crate::registry::{Cut, Recognised, Registry};
use crate::rule::labels::creator::Maker;

/// What says who somebody is. Every connection asks the same.
#[derive(Debug)]
pub struct Sources {
    /// Knows containers, where per-container allowlists are on.
    registry: Option<Arc<Registry>>,
}

impl Sources {
    /// The registry of containers, where per-container allowlists are on.
    pub fn new(registry: Option<Arc<Registry>>) -> Self {
        Self { registry }
    }
}

/// The other end of one connection.
#[derive(Debug)]
pub struct Visitor {
    sources: Arc<Sources>,
    peer: Peer,
    /// Whom the registry recognised, so that a connection pays for it once.
    recognised: Mutex<Option<Recognised>>,
    cut: Arc<Cut>,
}

/// Somebody who asks something now.
#[derive(Debug)]
pub struct Asker {
    /// Who it is.
    pub client: Client,
    /// What nobody may touch, where per-container allowlists are on and the engine could be asked.
    pub protected: Option<Arc<Protected>>,
}

impl Visitor {
    /// Somebody whose connection was just accepted; nothing is asked yet.
    pub fn new(sources: Arc<Sources>, peer: Peer) -> Self {
        Self { sources, peer, recognised: Mutex::new(None), cut: Arc::new(Cut::default()) }
    }

    /// Where the connection comes from.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Waits until the connection must end, because the other end is no longer who it was, and says why.
    pub async fn must_end(&self) -> &'static str {
        self.cut.wait().await
    }

    /// Says who asks, as of now, and what nobody may touch; `admissions` says who may use the default list.
    ///
    /// # Errors
    /// When too many requests wait for that to be known.
    pub async fn who(&self, permit: &Permit, admissions: &AdmissionList) -> Result<Asker, Limit> {
        let (identity, protected) = match &self.sources.registry {
            None => (Identity::Plain, None),
            Some(registry) => self.container(registry, permit).await?,
        };
        let peers = identity.peers();
        let identity = if peers.is_empty() {
            identity
        } else {
            let admitted = Box::pin(admitted(&self.peer, peers, admissions)).await;
            identity.where_admitted(&admitted)
        };
        // A look-up of names is only for clients that the default list could apply to.
        let admission = if identity.is_by_default() {
            admissions.admission(&self.peer).await
        } else {
            Admission::Unlisted
        };
        Ok(Asker { client: Client { peer: self.peer, admission, identity }, protected })
    }

    /// What is protected first: it is known at once while the engine's events are followed, and else the engine is asked.
    async fn container(
        &self,
        registry: &Registry,
        permit: &Permit,
    ) -> Result<(Identity, Option<Arc<Protected>>), Limit> {
        let waiting = (!registry.is_fresh()).then(|| permit.wait()).transpose()?;
        let protected = registry.protected().await;
        drop(waiting);
        match protected {
            Ok(_) => {
                let identity = self.recognise(registry, permit).await?;
                // Recognising may have taught us names that nobody may take.
                Ok((identity, Some(registry.protected_now())))
            }
            Err(_) => Ok((Identity::Unknown(WhyUnknown::Stale), None)),
        }
    }

    async fn recognise(&self, registry: &Registry, permit: &Permit) -> Result<Identity, Limit> {
        let mut slot = self.recognised.lock().await;
        if let Some(recognised) = slot.as_ref().filter(|recognised| registry.is_current(recognised))
        {
            return Ok(recognised.identity.clone());
        }
        let _waiting = permit.wait()?;
        // Once in a while for each connection, and large.
        let recognised = Box::pin(registry.recognise(&self.peer, &self.cut)).await;
        if slot.as_ref().is_some_and(|before| changed_hands(&before.identity, &recognised.identity))
        {
            // Its other end is gone, and the address is somebody else's.
            self.cut.cut("its address belongs to another container now");
            return Ok(Identity::Unknown(WhyUnknown::Ambiguous));
        }
        let identity = recognised.identity.clone();
        *slot = Some(recognised);
        Ok(identity)
    }
}

/// The client that somebody would be who comes from this address and was recognised as this.
pub async fn client_from(peer: Peer, identity: Identity, admissions: &AdmissionList) -> Client {
    let peers = identity.peers();
    let identity = identity.where_admitted(&admitted(&peer, peers, admissions).await);
    let admission = if identity.is_by_default() {
        admissions.admission(&peer).await
    } else {
        Admission::Unlisted
    };
    Client { peer, admission, identity }
}

/// Which of those who created a container and are none are admitted now: the default list is for that container only with them.
async fn admitted(peer: &Peer, peers: Vec<Maker>, admissions: &AdmissionList) -> Vec<Maker> {
    let mut admitted = Vec::new();
    for maker in peers {
        let is_admitted = match (&maker, *peer) {
            (Maker::Address(address), Peer::Tcp { local, .. }) => {
                let peer = Peer::tcp((*address, 0).into(), local);
                admissions.admission(&peer).await == Admission::Listed
            }
            // Who comes over TCP says that we have no Unix socket now.
            (Maker::User(_), Peer::Unix { .. }) => true,
            _ => false,
        };
        if is_admitted {
            admitted.push(maker);
        }
    }
    admitted
}

/// Whether an address went from one container to another. The first of several is the one that has the address.
fn changed_hands(before: &Identity, now: &Identity) -> bool {
    let (Identity::Containers(before), Identity::Containers(now)) = (before, now) else {
        return false;
    };
    before.first().map(|container| container.id) != now.first().map(|container| container.id)
}

#[cfg(test)]
mod tests;
