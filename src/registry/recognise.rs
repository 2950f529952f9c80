//! Who a peer is: from engine data newer than the question, or nobody.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::directory::Directory;
use super::epoch::{Epoch, Stretch};
use super::network::Holder;
use super::networks::{Found, Networks};
use super::ourselves::{Look, Ourselves};
use super::sessions::{Cut, Session, Sessions, Way};
use super::shared::{Shared, inspect};
use crate::client::{Container, ContainerId, Identity, MadeBy, Peer, WhyUnknown};
use crate::engine::Engine;

/// How long an address of one of our networks may be unknown to the engine before it is refused: a container that is starting right
/// now is known within milliseconds.
const UNKNOWN_PATIENCE: Duration = Duration::from_secs(2);
/// The pauses between two looks at an unknown address grow up to this; events cut them short.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// A peer that was looked at.
#[derive(Debug)]
pub struct Recognised {
    /// Who it is.
    pub identity: Identity,
    /// When it was looked at.
    since: Stretch,
    /// If it depends on who created its container: the mark of the moment when they were looked at.
    census: Option<u64>,
    /// Until when it stands, if it depends on somebody who was removed.
    end: Option<Instant>,
    /// Keeps the connection among those that end with its container.
    session: Option<Session>,
}

impl Recognised {
    /// Whether it still stands without asking the engine.
    pub(super) fn is_current(&self, epoch: &Epoch) -> bool {
        epoch.holds(self.since)
            && self.session.as_ref().is_none_or(Session::has_its_names)
            && self.census.is_none_or(|census| census == epoch.census())
            && self.end.is_none_or(|end| end > Instant::now())
            && !matches!(self.identity, Identity::Unknown(_))
    }
}

/// What recognising needs.
#[derive(Debug)]
pub(super) struct Recogniser {
    pub(super) engine: Engine,
    pub(super) ourselves: Arc<Ourselves>,
    pub(super) networks: Arc<Networks>,
    pub(super) directory: Arc<Directory>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) epoch: Arc<Epoch>,
}

impl Recogniser {
    /// Says who a peer is, from engine data newer than this call; `cut` is used when the answer stops being true.
    pub(super) async fn recognise(&self, peer: &Peer, cut: &Arc<Cut>) -> Recognised {
        let (since, census) = (self.epoch.now(), self.epoch.census());
        let (identity, session) = match *peer {
            Peer::Unix { .. } => (Identity::Plain, None),
            Peer::Tcp { remote, local } => {
                let deadline = Instant::now() + UNKNOWN_PATIENCE;
                let mut so_far = WhyUnknown::Stale;
                let resolving = self.resolve(remote.ip(), local, deadline, cut, &mut so_far);
                match tokio::time::timeout_at(deadline, resolving).await {
                    Ok(Ok(resolved)) => resolved,
                    Ok(Err(why)) => (Identity::Unknown(why), None),
                    Err(_) => (Identity::Unknown(so_far), None),
                }
            }
        };
        let census = is_created(&identity).then_some(census);
        let end = match &identity {
            Identity::Containers(containers) => {
                let known = self.directory.known();
                creators(containers).iter().filter_map(|it| known.end(it)).min()
            }
            Identity::Plain | Identity::Unknown(_) => None,
        };
        Recognised { identity, since, census, end, session }
    }

    async fn resolve(
        &self,
        remote: IpAddr,
        local: IpAddr,
        deadline: Instant,
        cut: &Arc<Cut>,
        so_far: &mut WhyUnknown,
    ) -> Result<(Identity, Option<Session>), WhyUnknown> {
        const PLAIN: (Identity, Option<Session>) = (Identity::Plain, None);
        // What comes from our own address comes from inside our own network namespace.
        if remote.is_loopback() || remote == local {
            return Ok(PLAIN);
        }
        if is_link_local(remote) {
            return Err(WhyUnknown::LinkLocal);
        }
        let mut pause = Duration::from_millis(10);
        loop {
            let news = self.epoch.news();
            let mut news = std::pin::pin!(news);
            news.as_mut().enable();
            let departures = self.sessions.departures();
            match self.find(remote, local).await.map_err(|_| WhyUnknown::Stale)? {
                // Who speaks to a link-local address of ours is a neighbour, and ought to be known.
                (Found::Unclaimed, _) if is_link_local(local) => {
                    return Err(WhyUnknown::LinkLocal);
                }
                (Found::Unclaimed | Found::Gateway, _) => return Ok(PLAIN),
                (Found::Several, _) => return Err(WhyUnknown::Ambiguous),
                (Found::Container(id, _), _) if self.ourselves.is_us(id) => {
                    return Ok(PLAIN);
                }
                (Found::Container(id, network), way) => {
                    if let Some(containers) =
                        self.sharing(id).await.map_err(|_| WhyUnknown::Stale)?
                    {
                        let ids = containers.iter().map(|container| container.id).collect();
                        let session = self.sessions.open(&network, way, remote, ids, cut);
                        let creators = creators(&containers);
                        let ids: Vec<_> = creators.iter().map(|it| it.id).chain([id]).collect();
                        self.sessions.rest_on(&session, creators.clone());
                        // A departure that was told while we asked may have been missed by the session, and an end that came.
                        let known = self.directory.known();
                        let all_stand = creators.iter().all(|creator| known.still_stands(creator));
                        if all_stand
                            && !ids
                                .into_iter()
                                .any(|id| self.sessions.departed_since(departures, id))
                        {
                            return Ok((Identity::Containers(containers), Some(session)));
                        }
                    }
                }
                (Found::Nobody, _) => *so_far = WhyUnknown::NotFound,
            }
            if Instant::now() + pause >= deadline {
                return Err(WhyUnknown::NotFound);
            }
            let _ = tokio::time::timeout(pause, news).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Who has an address, and the way it came: the network we share with it has the first word, then any network of the engine.
    async fn find(&self, remote: IpAddr, local: IpAddr) -> Result<(Found, Way), Shared> {
        let found = match self.network_at(local).await? {
            None => self.networks.find(remote).await?,
            Some(network) => {
                let view = self.networks.look(&network).await?;
                match view.holder(remote) {
                    Holder::Container(id) => {
                        return Ok((Found::Container(id, network), Way::Direct));
                    }
                    Holder::Several => Found::Several,
                    Holder::Gateway => Found::Gateway,
                    Holder::Nobody => Found::Nobody,
                    // We left the network a moment ago; which one the address is on now has to be asked again.
                    Holder::Elsewhere if view.is_gone => {
                        self.ourselves.refresh().await?;
                        Found::Nobody
                    }
                    Holder::Elsewhere => self.networks.find(remote).await?,
                }
            }
        };
        let is_free = matches!(found, Found::Nobody | Found::Unclaimed);
        let is_gateway = is_free && self.ourselves.look().networks.is_gateway(remote);
        Ok((if is_gateway { Found::Gateway } else { found }, Way::Routed))
    }

    /// The network on which we have an address; one that we joined a moment ago is asked for.
    async fn network_at(&self, local: IpAddr) -> Result<Option<String>, Shared> {
        let known = |look: &Look| look.networks.network(local).map(str::to_owned);
        let look = self.ourselves.look();
        if self.epoch.is_fresh() {
            let network = known(&look);
            // Nobody can connect us to a network while we use the host's.
            if network.is_some() || look.on_host {
                return Ok(network);
            }
        }
        self.ourselves.refresh().await?;
        Ok(known(&self.ourselves.look()))
    }

    /// The container with this id and those that share its network namespace and run; `None` when the engine does not know it yet.
    pub(super) async fn sharing(
        &self,
        id: ContainerId,
    ) -> Result<Option<Arc<[Arc<Container>]>>, Shared> {
        let Some(first) = self.directory.container(id).await? else { return Ok(None) };
        let may_miss_some = !self.epoch.is_fresh()
            || !self.engine.tells_in_time()
            || !self.directory.known().knows_all_sharers();
        let mut is_listed = false;
        if may_miss_some {
            self.directory.list().await?;
            is_listed = true;
        }
        let mut together = vec![first];
        for sharer in self.directory.known().sharers(id) {
            // Inspecting waits for a container that is just starting, so one that has sent a packet is seen to run.
            let inspect = inspect(&self.engine, sharer).await?;
            if inspect.is_some_and(|inspect| inspect.state.running || inspect.state.restarting)
                && let Some(container) = self.directory.container(sharer).await?
            {
                together.push(container);
            }
        }
        // Who has the name of a creator now is what a list says that is newer than the question.
        if !is_listed && together.iter().any(|container| container.lineage.is_created()) {
            self.directory.list().await?;
        }
        let mut clients = Vec::with_capacity(together.len());
        for container in together {
            let Some(client) = self.directory.client(container).await? else { return Ok(None) };
            clients.push(client);
        }
        Ok(Some(clients.into()))
    }
}

/// Whether what somebody may do depends on who created it.
fn is_created(identity: &Identity) -> bool {
    match identity {
        Identity::Containers(containers) => containers.iter().any(|it| it.lineage.is_created()),
        Identity::Plain | Identity::Unknown(_) => false,
    }
}

/// The containers that created these.
fn creators(containers: &[Arc<Container>]) -> Vec<Arc<Container>> {
    let made_by = containers.iter().flat_map(|it| &it.lineage.makers);
    made_by
        .filter_map(|made_by| match made_by {
            MadeBy::Container(container) => Some(Arc::clone(container)),
            _ => None,
        })
        .collect()
}

/// `fe80::/10` and `169.254.0.0/16`: addresses that the engine does not hand out and that say nothing about who has them.
fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}
