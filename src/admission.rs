//! Who may use the default allowlist over TCP: addresses, networks, and host names.
//!
//! One task looks names up, beside the requests. A client whose address is in a recent answer, or in another entry, waits for nothing; only
//! one that nothing admits yet waits for the names, until each was looked up once more. A container that has addresses on several
//! networks is admitted on all of them, though Docker's DNS tells only one: the engine says whether two addresses are the same container's.

use std::fmt::{self, Debug};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::client::{Admission, Peer};
use crate::registry::{Found, Networks};

/// How long an address that a name resolved to is believed, unless its container is said to be gone before.
const FRESH: Duration = Duration::from_secs(2);
/// A belief that is used when it is older than this has its name looked up beside the request.
const AGEING: Duration = Duration::from_secs(1);
/// How soon a name is looked up again for an address that is not among its answers: a rescheduled container has a new one.
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// How long one look-up may take, and how long a client waits for it.
const LOOKUP_DEADLINE: Duration = Duration::from_secs(2);
/// How many addresses of one name are remembered.
const MOST_ADDRESSES: usize = 64;

/// One entry of `allowfrom`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowFrom {
    /// An address or a network; IPv4-mapped IPv6 is written as IPv4.
    Net(IpNet),
    /// A host name, resolved when somebody connects.
    Host(String),
}

impl AllowFrom {
    /// The host name, of an entry that is one.
    pub fn host(&self) -> Option<String> {
        match self {
            Self::Net(_) => None,
            Self::Host(name) => Some(name.clone()),
        }
    }
}

impl fmt::Display for AllowFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(net) => write!(f, "{net}"),
            Self::Host(name) => f.write_str(name),
        }
    }
}

/// Turns a host name into addresses.
pub trait Resolver: Debug + Send + Sync + 'static {
    /// All addresses that the name has now.
    fn look_up(&self, name: &str) -> impl Future<Output = io::Result<Vec<IpAddr>>> + Send;
}

/// The system's resolver, getaddrinfo(3).
#[derive(Debug)]
pub struct System;

impl Resolver for System {
    async fn look_up(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let addresses = tokio::net::lookup_host((name, 0)).await?;
        Ok(addresses.map(|address| address.ip()).collect())
    }
}

/// The list of admitted clients. Its clones are the same list.
#[derive(Debug)]
pub struct AdmissionList<R = System> {
    list: Arc<List<R>>,
    /// Says which addresses are one container's.
    networks: Option<Arc<Networks>>,
}

impl<R> Clone for AdmissionList<R> {
    fn clone(&self) -> Self {
        Self { list: Arc::clone(&self.list), networks: self.networks.clone() }
    }
}

#[derive(Debug)]
struct List<R> {
    nets: Vec<IpNet>,
    hosts: Vec<Host>,
    resolver: R,
    /// Somebody wants a name looked up.
    wanted: Notify,
    /// A look-up has ended.
    answered: Notify,
}

impl AdmissionList {
    /// The list that `allowfrom` says. Its host names need [`AdmissionList::keep_looking_up`].
    pub fn new(entries: &[AllowFrom]) -> Self {
        Self::with_resolver(entries, System)
    }
}

impl<R: Resolver> AdmissionList<R> {
    fn with_resolver(entries: &[AllowFrom], resolver: R) -> Self {
        let mut list = List {
            nets: Vec::new(),
            hosts: Vec::new(),
            resolver,
            wanted: Notify::new(),
            answered: Notify::new(),
        };
        for entry in entries {
            match entry {
                AllowFrom::Net(net) => list.nets.push(*net),
                AllowFrom::Host(name) => list.hosts.push(Host::new(name)),
            }
        }
        Self { list: Arc::new(list), networks: None }
    }

    /// The same list, which asks the engine too which addresses are one container's.
    #[must_use]
    pub fn asking(self, networks: Arc<Networks>) -> Self {
        Self { networks: Some(networks), ..self }
    }

    /// Whether a peer is on the list now. Who could open a Unix socket was admitted by its file mode.
    pub async fn admission(&self, peer: &Peer) -> Admission {
        let Some(address) = peer.ip() else { return Admission::Listed };
        let is_listed = self.list.nets.iter().any(|net| net.contains(&address))
            || self.believes(address)
            || self.is_named(address).await
            || self.is_named_elsewhere(address).await;
        if is_listed { Admission::Listed } else { Admission::Unlisted }
    }

    /// Whether the answer for every peer is known without asking DNS.
    pub fn is_static(&self) -> bool {
        self.list.hosts.is_empty()
    }

    /// Looks names up as they are wanted, for ever; each one at a time.
    pub async fn keep_looking_up(&self) {
        let mut looking = JoinSet::new();
        loop {
            for (index, host) in self.list.hosts.iter().enumerate() {
                let Some(turn) = host.begin(self.departures()) else { continue };
                let list = Arc::clone(&self.list);
                looking.spawn(async move {
                    if let Some(host) = list.hosts.get(index) {
                        host.finish(turn, host.ask(&list.resolver).await);
                    }
                    list.answered.notify_waiters();
                });
            }
            tokio::select! {
                () = self.list.wanted.notified() => {}
                Some(_) = looking.join_next(), if !looking.is_empty() => {}
            }
        }
    }

    /// A mark that changes when a container is said to have gone from an address; it never does where no events are followed.
    fn departures(&self) -> u64 {
        self.networks.as_ref().map_or(0, |networks| networks.departures())
    }

    /// Whether a recent answer holds the address. One that is ageing is asked for again, beside the request.
    fn believes(&self, address: IpAddr) -> bool {
        let departures = self.departures();
        let mut believed = false;
        for host in &self.list.hosts {
            let Some(age) = host.age(address, departures).filter(|age| *age < FRESH) else {
                continue;
            };
            believed = true;
            if age > AGEING {
                host.want();
                self.list.wanted.notify_one();
            }
        }
        believed
    }

    /// Whether a look-up that begins now has the address among its answers.
    async fn is_named(&self, address: IpAddr) -> bool {
        let (deadline, departures) = (Instant::now() + LOOKUP_DEADLINE, self.departures());
        let asked: Vec<(&Host, u64)> = self
            .list
            .hosts
            .iter()
            .filter(|host| !host.has_just_answered(departures))
            .map(|host| (host, host.want()))
            .collect();
        self.list.wanted.notify_one();
        loop {
            let answered = self.list.answered.notified();
            let mut answered = std::pin::pin!(answered);
            answered.as_mut().enable();
            if asked.iter().any(|(host, turn)| host.answers(address, *turn)) {
                return true;
            }
            let is_open = asked.iter().any(|(host, turn)| !host.is_past(*turn));
            if !is_open || tokio::time::timeout_at(deadline, answered).await.is_err() {
                return false;
            }
        }
    }

    /// Whether the address is another one of a container that a name led to.
    async fn is_named_elsewhere(&self, address: IpAddr) -> bool {
        let Some(networks) = &self.networks else { return false };
        let departures = self.departures();
        for host in &self.list.hosts {
            let mut addresses = host.believed(departures);
            // Neither is ever a container's.
            if addresses.is_empty() || address.is_loopback() {
                continue;
            }
            addresses.push(address);
            let asking = tokio::time::timeout(LOOKUP_DEADLINE, networks.find_all(&addresses));
            // Something else than an engine may sit behind the socket, or one that does not tell.
            let Ok(Ok(found)) = asking.await else { return false };
            let Some((Found::Container(ours, _), named)) = found.split_last() else { continue };
            if named.iter().any(|named| matches!(named, Found::Container(id, _) if id == ours)) {
                host.see(address, departures);
                return true;
            }
        }
        false
    }
}

/// A name, and what is known of its addresses.
#[derive(Debug)]
struct Host {
    name: String,
    lookups: Mutex<Lookups>,
}

#[derive(Debug, Default)]
struct Lookups {
    is_wanted: bool,
    /// How many have begun, and how many have ended; they are one apart while one runs.
    begun: u64,
    ended: u64,
    /// When the last one ended, and the mark of departures it began at.
    last: Option<(Instant, u64)>,
    seen: Vec<Seen>,
}

/// An address in an answer.
#[derive(Debug)]
struct Seen {
    address: IpAddr,
    at: Instant,
    /// The number of the look-up.
    turn: u64,
    departures: u64,
    /// Whether the name led to it, and not another address of its container.
    is_named: bool,
}

/// One look-up under way.
#[derive(Debug, Clone, Copy)]
struct Turn {
    number: u64,
    departures: u64,
}

impl Host {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), lookups: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Lookups> {
        // What is behind it is right after every statement, whoever panicked.
        self.lookups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a look-up, and says which one will have begun after this.
    fn want(&self) -> u64 {
        let mut lookups = self.lock();
        lookups.is_wanted = true;
        lookups.begun + 1
    }

    fn begin(&self, departures: u64) -> Option<Turn> {
        let mut lookups = self.lock();
        if !lookups.is_wanted || lookups.begun != lookups.ended {
            return None;
        }
        lookups.is_wanted = false;
        lookups.begun += 1;
        Some(Turn { number: lookups.begun, departures })
    }

    fn finish(&self, turn: Turn, addresses: Vec<IpAddr>) {
        let Turn { number, departures } = turn;
        let at = Instant::now();
        let mut lookups = self.lock();
        lookups.ended = number;
        lookups.last = Some((at, departures));
        for address in addresses.into_iter().take(MOST_ADDRESSES) {
            let address = address.to_canonical();
            lookups.note(Seen { address, at, turn: number, departures, is_named: true });
        }
    }

    /// Notes another address of a container that the name led to. It is believed no longer than the name's own.
    fn see(&self, address: IpAddr, departures: u64) {
        let mut lookups = self.lock();
        let turn = lookups.ended;
        let named = lookups.seen.iter().filter(|it| it.is_named && it.departures == departures);
        let Some(at) = named.map(|it| it.at).max() else { return };
        lookups.note(Seen { address, at, turn, departures, is_named: false });
    }

    /// How old the belief in an address is, if there is one.
    fn age(&self, address: IpAddr, departures: u64) -> Option<Duration> {
        let lookups = self.lock();
        let seen = lookups.seen.iter().find(|seen| seen.address == address)?;
        (seen.departures == departures).then(|| seen.at.elapsed())
    }

    /// The addresses that are believed because the name led to them. Others prove nothing: two of them would keep each other alive.
    fn believed(&self, departures: u64) -> Vec<IpAddr> {
        let lookups = self.lock();
        let is_believed =
            |it: &&Seen| it.is_named && it.departures == departures && it.at.elapsed() < FRESH;
        let believed = lookups.seen.iter().filter(is_believed);
        believed.map(|seen| seen.address).collect()
    }

    /// Whether that look-up, or a later one, had the address among its answers.
    fn answers(&self, address: IpAddr, turn: u64) -> bool {
        self.lock().seen.iter().any(|seen| seen.address == address && seen.turn >= turn)
    }

    /// Whether that look-up has ended.
    fn is_past(&self, turn: u64) -> bool {
        self.lock().ended >= turn
    }

    fn has_just_answered(&self, departures: u64) -> bool {
        let last = self.lock().last;
        last.is_some_and(|(at, mark)| at.elapsed() < ASK_AGAIN && mark == departures)
    }

    /// The name's addresses; one that does not resolve has none.
    async fn ask<R: Resolver>(&self, resolver: &R) -> Vec<IpAddr> {
        match tokio::time::timeout(LOOKUP_DEADLINE, resolver.look_up(&self.name)).await {
            Ok(Ok(addresses)) => addresses,
            Ok(Err(error)) => {
                tracing::debug!(host = self.name, error = %error, "a name in allowfrom does not resolve");
                Vec::new()
            }
            Err(_) => {
                tracing::warn!(
                    host = self.name,
                    "a name in allowfrom took too long to resolve; it admits nobody new meanwhile"
                );
                Vec::new()
            }
        }
    }
}

impl Lookups {
    /// Notes one address in place of what was known of it; the oldest make room.
    fn note(&mut self, seen: Seen) {
        self.seen.retain(|it| it.address != seen.address && it.at.elapsed() < FRESH);
        if self.seen.len() >= MOST_ADDRESSES {
            self.seen.remove(0);
        }
        self.seen.push(seen);
    }
}

#[cfg(test)]
mod tests;
