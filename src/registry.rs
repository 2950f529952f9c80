//! Which container is asking.
//!
//! A connection is recognised by asking the engine, after accept, who has its source address: on the network it came over, and if that
//! says nothing, on any network of the engine. A network's own view is right from a container's first packet to its last, where lists and
//! events are late (measured on engine 20.10). What is remembered are only things that cannot change: a container's labels, by its full id.
//! Events are listened to for what must *end*: the connections of containers that die, leave a network or lose their address.
//!
//! Not protected against: a neighbour on the same network that forges source addresses (it needs `CAP_NET_RAW`, which containers have
//! by default). docs/per-container-allowlists.md says what to do about it.

mod fresh;
pub mod network;
mod networks;
mod own;
mod place;
mod report;
mod sessions;
mod writer;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

pub use networks::{Found, Networks};
pub use own::{OwnContainer, OwnContainerError};
pub use report::{ClientReport, NetworkReport};
pub use sessions::{Cut, Session};

use crate::clauses::{Defaults, Protected};
use crate::client::{Container, ContainerId, Identity, Peer, WhyUnknown};
use crate::engine::own::{ContainerInspect, ContainerRow, ImageInspect};
use crate::engine::{Engine, EngineError, OwnCall};
use crate::request::json::skim::Wanted;
use crate::rule::labels::image::Counted;
use crate::rule::labels::{LabelError, LabelReader, Rights, is_policy};
use fresh::Fresh;
use network::Holder;
use place::OwnPlace;
use sessions::{Sessions, Way};

/// How long an address of one of our networks may be unknown to the engine before it is refused: a container that is starting right
/// now is known within milliseconds.
const UNKNOWN_PATIENCE: Duration = Duration::from_secs(2);
/// The pauses between two looks at an unknown address grow up to this; events cut them short.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
/// How long the labels that speak of rights may be together, in bytes: those of one container, and those of all that have new ones.
const MOST_LABEL_BYTES_IN_ALL: usize = 64 * 1024;
const MOST_LISTED_LABEL_BYTES: usize = 32 * 1024 * 1024;
/// `EPOCH` values: what we know may be old.
const STALE: u64 = 0;

/// What labels are read, and how they are weighed.
#[derive(Debug, Clone)]
pub struct LabelPolicy {
    /// The prefixes of labels that carry allowlists.
    pub prefixes: Vec<String>,
    /// Whether labels that come from an image count.
    pub trust_image_labels: bool,
    /// What holds for clients whose labels do not say otherwise.
    pub limits: Defaults,
}

/// The containers of the engine, and the connections they have to us.
#[derive(Debug)]
pub struct Registry {
    engine: Engine,
    labels: LabelPolicy,
    own_id: ContainerId,
    own_name: String,
    own_place: Mutex<Arc<OwnPlace>>,
    own_query: Fresh<Result<(), Shared>>,
    protected: Mutex<Arc<Protected>>,
    networks: Arc<Networks>,
    container_queries: Questions<ContainerId, Option<Arc<Container>>>,
    list_query: Fresh<Result<(), Shared>>,
    reader: Mutex<LabelReader>,
    images: Mutex<HashMap<String, Arc<ImageLabels>>>,
    known: Mutex<Known>,
    sessions: Sessions,
    /// Which unbroken stretch of events our knowledge rests on; [`STALE`] while there is none.
    epoch: AtomicU64,
    refusals: report::Refusals,
    /// Whom we have warned of, so that it is said once.
    warned: Mutex<BTreeSet<(ContainerId, String)>>,
    /// Something happened: whoever waits for an unknown address may look again.
    news: Notify,
}

/// An image's labels that speak of rights; `None` for one that is too long to be read.
type ImageLabels = BTreeMap<String, Option<String>>;

/// An error that several askers get.
type Shared = Arc<EngineError>;

/// Questions about several objects, by which one they are about.
type Questions<K, T> = Mutex<HashMap<K, Arc<Fresh<Result<T, Shared>>>>>;

/// What is remembered of containers.
#[derive(Debug, Default)]
struct Known {
    containers: HashMap<ContainerId, Arc<Container>>,
    /// Who shares whose network namespace (`network_mode: container:…`), by the one that has the address.
    sharers: HashMap<ContainerId, BTreeSet<ContainerId>>,
}

/// A peer that was looked at.
#[derive(Debug)]
pub struct Recognised {
    /// Who it is.
    pub identity: Identity,
    epoch: u64,
    /// Keeps the connection among those that end with its container.
    _session: Option<Session>,
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
        let prefixes = labels.prefixes.clone();
        let engine = engine.reading_labels(Wanted::new(move |key| is_policy(key, &prefixes)));
        let inspect = own::find(&engine, own).await?;
        let own_id = ContainerId::parse(&inspect.id).ok_or(OwnContainerError::from(
            EngineError::Unexpected("its container has an odd id"),
        ))?;
        let own_name = inspect.name.trim_start_matches('/').to_owned();
        let own_place = OwnPlace::of(&engine, inspect).await?;
        let protected = own_place.protected(own_id, &labels);
        Ok(Arc::new(Self {
            networks: Arc::new(Networks::new(engine.clone())),
            engine,
            labels,
            own_id,
            own_name,
            own_place: Mutex::new(Arc::new(own_place)),
            protected: Mutex::new(Arc::new(protected)),
            own_query: Fresh::default(),
            container_queries: Mutex::default(),
            list_query: Fresh::default(),
            reader: Mutex::default(),
            images: Mutex::default(),
            known: Mutex::default(),
            sessions: Sessions::default(),
            epoch: AtomicU64::new(STALE),
            refusals: report::Refusals::default(),
            warned: Mutex::default(),
            news: Notify::new(),
        }))
    }

    /// Makes sure that the engine can say who comes to us over TCP.
    ///
    /// # Errors
    /// When we have no address that it knows after three tries, or it does not answer.
    pub async fn sees_clients(&self) -> Result<(), OwnContainerError> {
        for _ in 1..own::TRIES {
            if self.own_place().sees_clients(&self.own_name).is_ok() {
                return Ok(());
            }
            tokio::time::sleep(own::PAUSE).await;
            self.refresh_own_place().await?;
        }
        self.own_place().sees_clients(&self.own_name)
    }

    /// Who has which address on the engine's networks.
    pub fn networks(&self) -> Arc<Networks> {
        Arc::clone(&self.networks)
    }

    fn own_place(&self) -> Arc<OwnPlace> {
        Arc::clone(&lock(&self.own_place))
    }

    /// What no client may touch, as it is now.
    ///
    /// # Errors
    /// When events are lost and the engine does not answer, so that what we knew may be old.
    pub async fn protected(&self) -> Result<Arc<Protected>, Shared> {
        if !self.is_fresh() {
            self.refresh_own_place().await?;
        }
        Ok(Arc::clone(&lock(&self.protected)))
    }

    /// The label prefix that messages suggest.
    pub fn suggested_prefix(&self) -> &str {
        self.labels.prefixes.last().map_or("sockwarden", String::as_str)
    }

    /// Whether what was recognised still stands without asking the engine.
    pub fn is_current(&self, recognised: &Recognised) -> bool {
        recognised.epoch != STALE
            && recognised.epoch == self.epoch.load(Ordering::SeqCst)
            && !matches!(recognised.identity, Identity::Unknown(_))
    }

    /// Says who a peer is, from engine data newer than this call; `cut` is used when the answer stops being true.
    pub async fn recognise(&self, peer: &Peer, cut: &Arc<Cut>) -> Recognised {
        let epoch = self.epoch.load(Ordering::SeqCst);
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
        Recognised { identity, epoch, _session: session }
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
            let news = self.news.notified();
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
                (Found::Container(id, _), _) if self.own_place().is_us(self.own_id, id) => {
                    return Ok(PLAIN);
                }
                (Found::Container(id, network), way) => {
                    if let Some(containers) =
                        self.sharing(id).await.map_err(|_| WhyUnknown::Stale)?
                    {
                        let ids = containers.iter().map(|container| container.id).collect();
                        let session = self.sessions.open(&network, way, remote, ids, cut);
                        // A departure that was told while we asked may have been missed by the session.
                        if !self.sessions.departed_since(departures, id) {
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
                        self.refresh_own_place().await?;
                        Found::Nobody
                    }
                    Holder::Elsewhere => self.networks.find(remote).await?,
                }
            }
        };
        let is_free = matches!(found, Found::Nobody | Found::Unclaimed);
        let is_gateway = is_free && self.own_place().is_gateway(remote);
        Ok((if is_gateway { Found::Gateway } else { found }, Way::Routed))
    }

    /// The network on which we have an address; one that we joined a moment ago is asked for.
    async fn network_at(&self, local: IpAddr) -> Result<Option<String>, Shared> {
        let known = |place: &OwnPlace| place.networks.network(local).map(str::to_owned);
        let place = self.own_place();
        if self.epoch.load(Ordering::SeqCst) != STALE {
            let network = known(&place);
            // Nobody can connect us to a network while we use the host's.
            if network.is_some() || place.on_host {
                return Ok(network);
            }
        }
        self.refresh_own_place().await?;
        Ok(known(&self.own_place()))
    }

    async fn refresh_own_place(&self) -> Result<(), Shared> {
        self.own_query
            .get(|| async {
                let id = self.own_id.to_string();
                let inspect: Option<ContainerInspect> =
                    self.engine.ask_for(OwnCall::Container(&id)).await.map_err(Arc::new)?;
                let Some(inspect) = inspect else {
                    // It is being removed; what nobody may touch stays what it was.
                    *lock(&self.own_place) = Arc::default();
                    return Ok(());
                };
                let place = OwnPlace::of(&self.engine, inspect).await?;
                *lock(&self.protected) = Arc::new(place.protected(self.own_id, &self.labels));
                *lock(&self.own_place) = Arc::new(place);
                Ok(())
            })
            .await
    }

    /// The container with this id and those that share its network namespace and run; `None` when the engine does not know it yet.
    async fn sharing(&self, id: ContainerId) -> Result<Option<Arc<[Arc<Container>]>>, Shared> {
        let Some(first) = self.container(id).await? else { return Ok(None) };
        if !self.is_fresh() || !self.engine.tells_in_time() {
            self.list().await?;
        }
        let mut together = vec![first];
        for sharer in self.sharers(id) {
            let name = sharer.to_string();
            // Inspecting waits for a container that is just starting, so one that has sent a packet is seen to run.
            let inspect: Option<ContainerInspect> =
                self.engine.ask_for(OwnCall::Container(&name)).await.map_err(Arc::new)?;
            if inspect.is_some_and(|inspect| inspect.state.running || inspect.state.restarting)
                && let Some(container) = self.container(sharer).await?
            {
                together.push(container);
            }
        }
        Ok(Some(together.into()))
    }

    /// Everyone who was created to share a container's network namespace, also by way of another sharer.
    fn sharers(&self, id: ContainerId) -> BTreeSet<ContainerId> {
        let known = lock(&self.known);
        let mut found = BTreeSet::new();
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            for sharer in known.sharers.get(&id).into_iter().flatten() {
                if found.insert(*sharer) {
                    open.push(*sharer);
                }
            }
        }
        found
    }

    /// A container by its full id; asked for where it is not known.
    async fn container(&self, id: ContainerId) -> Result<Option<Arc<Container>>, Shared> {
        if let Some(known) = lock(&self.known).containers.get(&id) {
            return Ok(Some(Arc::clone(known)));
        }
        self.learn(id).await
    }

    /// Asks the engine about a container and remembers it.
    async fn learn(&self, id: ContainerId) -> Result<Option<Arc<Container>>, Shared> {
        let query = Arc::clone(lock(&self.container_queries).entry(id).or_default());
        let result = query
            .get(|| async {
                let row = self.engine.container_row(id).await.map_err(Arc::new)?;
                let Some(entry) = row.and_then(Entry::new) else { return Ok(None) };
                let owner = self.owner(&entry).await?;
                let container = self.read_entry(entry).await?;
                lock(&self.known).remember(Arc::clone(&container), owner);
                Ok(Some(container))
            })
            .await;
        let mut queries = lock(&self.container_queries);
        // The last one to leave takes the question away.
        if queries.get(&id).is_some_and(|query| Arc::strong_count(query) <= 2) {
            queries.remove(&id);
        }
        result
    }

    /// Whose network namespace a container shares. It never changes, so an engine whose list does not say is asked once.
    async fn owner(&self, entry: &Entry) -> Result<Option<ContainerId>, Shared> {
        if entry.says_mode {
            return Ok(entry.shares_with);
        }
        {
            let known = lock(&self.known);
            if known.containers.contains_key(&entry.id) {
                return Ok(known.owner(entry.id));
            }
        }
        let id = entry.id.to_string();
        let inspect: Option<ContainerInspect> =
            self.engine.ask_for(OwnCall::Container(&id)).await.map_err(Arc::new)?;
        Ok(inspect.and_then(|inspect| shared_with(&inspect.host_config.network_mode)))
    }

    /// What an entry of the engine's list says of a container and its rights. An image's labels are a stranger's word.
    async fn read_entry(&self, entry: Entry) -> Result<Arc<Container>, Shared> {
        let Entry { id, name, image, labels, .. } = entry;
        let mut labels = match labels {
            Ok(labels) => labels,
            Err(error) => {
                return Ok(Arc::new(Container {
                    id,
                    name,
                    rights: Rights::Broken([error].into()),
                }));
            }
        };
        if labels.is_empty() {
            return Ok(Arc::new(Container { id, name, rights: Rights::Unlabelled }));
        }
        if !self.labels.trust_image_labels {
            let Some(image) = self.image_labels(&image).await? else {
                let rights = Rights::Broken([LabelError::NoImage].into());
                return Ok(Arc::new(Container { id, name, rights }));
            };
            let counted = Counted::of(labels, &image, &self.labels.prefixes);
            for key in &counted.passed_over {
                tracing::warn!(
                    container = name,
                    label = key,
                    "a label that comes from the image does not count; set it on the container, or use `-trustimagelabels`"
                );
            }
            if !counted.unclear.is_empty() {
                let rights = Rights::Broken(counted.unclear.into());
                return Ok(Arc::new(Container { id, name, rights }));
            }
            labels = counted.labels.into_iter().collect();
        }
        let labels = labels.into_iter().collect();
        let rights = lock(&self.reader).rights(&labels, &self.labels.prefixes);
        Ok(Arc::new(Container { id, name, rights }))
    }

    /// The policy labels of an image, by its id, which says what is in it; `None` when the engine no longer has it.
    async fn image_labels(&self, image: &str) -> Result<Option<Arc<ImageLabels>>, Shared> {
        if let Some(known) = lock(&self.images).get(image) {
            return Ok(Some(Arc::clone(known)));
        }
        let inspect: Option<ImageInspect> =
            self.engine.ask_for(OwnCall::Image(image)).await.map_err(Arc::new)?;
        let Some(inspect) = inspect else { return Ok(None) };
        let labels = Arc::new(inspect.config.and_then(|config| config.labels).unwrap_or_default());
        lock(&self.images).insert(image.to_owned(), Arc::clone(&labels));
        Ok(Some(labels))
    }

    /// Asks for all containers, and replaces what is known of them as a whole.
    async fn list(&self) -> Result<(), Shared> {
        self.list_query
            .get(|| async {
                let mut kept = 0;
                let keep = |row| {
                    let mut entry = Entry::new(row)?;
                    kept += entry.labels.as_ref().map_or(0, |labels| length(labels));
                    if kept > MOST_LISTED_LABEL_BYTES {
                        entry.labels = Err(LabelError::TooManyInAll);
                    }
                    Some(entry)
                };
                let entries = self.engine.containers(keep).await.map_err(Arc::new)?;
                let mut next = Known::default();
                let mut images = BTreeSet::new();
                for entry in entries {
                    if !images.contains(&entry.image) {
                        images.insert(entry.image.clone());
                    }
                    let owner = self.owner(&entry).await?;
                    let before = lock(&self.known).containers.get(&entry.id).cloned();
                    let container = match before {
                        Some(container) if container.name == entry.name => container,
                        _ => self.read_entry(entry).await?,
                    };
                    next.remember(container, owner);
                }
                lock(&self.images).retain(|image, _| images.contains(image));
                let old = std::mem::replace(&mut *lock(&self.known), next);
                drop(old);
                Ok(())
            })
            .await
    }
}

impl Known {
    fn remember(&mut self, container: Arc<Container>, shares_with: Option<ContainerId>) {
        let id = container.id;
        if let Some(owner) = shares_with {
            self.sharers.entry(owner).or_default().insert(id);
        }
        self.containers.insert(id, container);
    }

    fn owner(&self, id: ContainerId) -> Option<ContainerId> {
        self.sharers.iter().find(|(_, sharers)| sharers.contains(&id)).map(|(owner, _)| *owner)
    }

    fn forget(&mut self, id: ContainerId) {
        self.containers.remove(&id);
        self.sharers.remove(&id);
        self.sharers.retain(|_, sharers| {
            sharers.remove(&id);
            !sharers.is_empty()
        });
    }
}

/// What is taken from a row of the engine's list.
#[derive(Debug)]
struct Entry {
    id: ContainerId,
    name: String,
    image: String,
    /// The labels that speak of rights, or why they cannot be read.
    labels: Result<Vec<(String, String)>, LabelError>,
    /// The container whose network namespace it shares.
    shares_with: Option<ContainerId>,
    /// Whether the row tells how its network was chosen; Podman's rows say `host` for all of them.
    says_mode: bool,
}

impl Entry {
    fn new(row: ContainerRow) -> Option<Self> {
        let name = row.name().to_owned();
        let mut labels = if row.is_cut { Err(LabelError::TooMuch) } else { Ok(Vec::new()) };
        for (key, value) in row.labels.into_iter().flatten() {
            let Ok(kept) = &mut labels else { break };
            match value {
                Some(value) => kept.push((key, value)),
                None => labels = Err(LabelError::TooLong { key }),
            }
        }
        if labels.as_ref().is_ok_and(|labels| length(labels) > MOST_LABEL_BYTES_IN_ALL) {
            labels = Err(LabelError::TooMuch);
        }
        let mode = &row.host_config.network_mode;
        let is_on_host =
            row.network_settings.networks.iter().flatten().any(|(name, _)| name == "host");
        Some(Self {
            id: ContainerId::parse(&row.id)?,
            name,
            image: row.image_id,
            labels,
            shares_with: shared_with(mode),
            says_mode: !mode.is_empty() && (mode != "host" || is_on_host),
        })
    }
}

/// The container whose network namespace a network mode joins.
fn shared_with(mode: &str) -> Option<ContainerId> {
    mode.strip_prefix("container:").and_then(ContainerId::parse)
}

/// How long these labels are together, in bytes.
fn length(labels: &[(String, String)]) -> usize {
    labels.iter().map(|(key, value)| key.len() + value.len()).sum()
}

/// `fe80::/10` and `169.254.0.0/16`: addresses that the engine does not hand out and that say nothing about who has them.
fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is right after every statement, whoever panicked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
