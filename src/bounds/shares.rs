//! What each client has of what is counted by number, and how often that was not enough.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::address::Address;
use super::memory::{Budget, Purse};
use super::{Limit, Limits};
use crate::client::Peer;
use crate::request::json::Json;

/// How often what was reached is told in the log.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// One client address may have the `WAITING_SHARE`th part of the requests that wait.
const WAITING_SHARE: usize = 4;

/// So many connections find room in what is not counted; each further one takes at most so much, in bytes.
const FREE_CONNECTIONS: usize = 1000;
const CONNECTION_BYTES: usize = 24 * 1024;

/// Of the memory that the process may grow by, the part that is counted: half. The rest is for what every connection needs, for log lines
/// and for what the allocator keeps.
const fn counted(memory: usize) -> usize {
    memory / 2
}

/// All there is to take, and what is taken of it.
#[derive(Debug)]
pub struct Bounds {
    limits: Limits,
    taken: Mutex<Shares>,
    memory: Arc<Budget>,
    reached: [Reached; Limit::ALL.len()],
    panics: AtomicU64,
}

#[derive(Debug, Default)]
struct Shares {
    all: Share,
    /// Whoever has nothing is not in here.
    clients: HashMap<Address, Share>,
}

/// How much of everything one client has, or all have.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Share {
    connections: usize,
    streams: usize,
    waiting: usize,
}

/// Which number of a share.
type Count = fn(&mut Share) -> &mut usize;

/// How often a limit was reached, and by whom last.
#[derive(Debug, Default)]
struct Reached {
    count: AtomicU64,
    told: AtomicU64,
    last: Mutex<String>,
}

impl Bounds {
    /// Nothing is taken yet. There are never more connections than `descriptors` allow.
    pub fn new(limits: Limits, descriptors: usize) -> Arc<Self> {
        let limits = Limits { connections: limits.connections.min(descriptors), ..limits };
        Arc::new(Self {
            limits,
            taken: Mutex::default(),
            memory: Budget::new(
                counted(limits.memory),
                limits.inspected_body_limit,
                Json::most_memory(limits.inspected_body_limit),
            ),
            reached: Default::default(),
            panics: AtomicU64::new(0),
        })
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A place for a connection.
    ///
    /// # Errors
    /// The limit that leaves none.
    pub fn admit(self: &Arc<Self>, peer: &Peer) -> Result<Permit, Limit> {
        let one = (self.limits.connections_per_client, Limit::ConnectionsPerClient);
        let all = (self.limits.connections, Limit::Connections);
        let held = self.take(Address::of(peer), |share| &mut share.connections, one, all)?;
        self.memory.connected();
        Ok(Permit { held })
    }

    /// One more of something for a client, if it and all together have less than the most they may.
    fn take(
        self: &Arc<Self>,
        address: Address,
        count: Count,
        (most_of_one, limit_of_one): (usize, Limit),
        (most_of_all, limit_of_all): (usize, Limit),
    ) -> Result<Held, Limit> {
        let mut taken = self.lock();
        if *count(&mut taken.of(address)) >= most_of_one {
            return Err(limit_of_one);
        }
        if *count(&mut taken.all) >= most_of_all {
            return Err(limit_of_all);
        }
        taken.change(address, |share| *count(share) += 1);
        Ok(Held { bounds: Arc::clone(self), address, count })
    }

    /// What the process may grow by while there are so many connections, in bytes; docs/reliability.md has the formula.
    pub fn most_growth(&self, connections: usize) -> usize {
        let counted = self.memory.most() - counted(self.limits.memory).min(self.memory.most());
        let crowd = connections.saturating_sub(FREE_CONNECTIONS) * CONNECTION_BYTES;
        self.limits.memory + counted + crowd
    }

    /// Notes that a client reached a limit.
    pub fn reached(&self, limit: Limit, client: &impl Display) {
        if let Some(reached) = self.reached.get(limit as usize) {
            reached.count.fetch_add(1, Ordering::Relaxed);
            *reached.last.lock().unwrap_or_else(PoisonError::into_inner) = client.to_string();
        }
    }

    /// Notes that serving a connection panicked.
    pub fn panicked(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    /// Tells in the log which limits are reached, for ever: a line for each, at most every few seconds.
    pub async fn keep_telling(&self) {
        let mut clock = tokio::time::interval(TELL_EVERY);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            clock.tick().await;
            self.tell();
        }
    }

    /// Tells what was not told yet.
    pub fn tell(&self) {
        for (limit, reached) in Limit::ALL.iter().zip(&self.reached) {
            let count = reached.count.load(Ordering::Relaxed);
            let before = reached.told.swap(count, Ordering::Relaxed);
            if count > before {
                let last = reached.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
                tracing::warn!(
                    option = limit.setting().as_given(),
                    count = count - before,
                    total = count,
                    last_client = last,
                    "a limit was reached; if these clients are right to ask for more, raise it"
                );
            }
        }
    }

    /// What is taken, and what was reached; of the tasks, those of the calling thread's runtime.
    pub fn usage(&self) -> Usage {
        let taken = self.lock();
        let reached = Limit::ALL.iter().zip(&self.reached).map(|(limit, reached)| LimitUsage {
            option: limit.setting().flag(),
            reached: reached.count.load(Ordering::Relaxed),
        });
        Usage {
            connections: taken.all.connections,
            most_connections: self.limits.connections,
            streams: taken.all.streams,
            waiting: taken.all.waiting,
            memory: self.memory.taken(),
            most_growth: self.most_growth(self.limits.connections),
            clients: taken.clients.len(),
            limits: reached.collect(),
            panics: self.panics.load(Ordering::Relaxed),
            tasks: tokio::runtime::Handle::try_current()
                .map_or(0, |runtime| runtime.metrics().num_alive_tasks()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shares> {
        // Plain numbers, right after every statement, whoever panicked.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shares {
    fn of(&self, address: Address) -> Share {
        self.clients.get(&address).copied().unwrap_or_default()
    }

    /// Makes the same change to what one client has and to what all have.
    fn change(&mut self, address: Address, change: impl Fn(&mut Share)) {
        change(&mut self.all);
        match self.clients.entry(address) {
            Entry::Vacant(entry) => change(entry.insert(Share::default())),
            Entry::Occupied(mut entry) => {
                change(entry.get_mut());
                if *entry.get() == Share::default() {
                    entry.remove();
                    // A storm of strangers must not leave its table behind.
                    if self.clients.capacity() > 4 * self.clients.len() + 64 {
                        self.clients.shrink_to_fit();
                    }
                }
            }
        }
    }
}

/// One of what a client may have so many of; given back when dropped.
#[derive(Debug)]
struct Held {
    bounds: Arc<Bounds>,
    address: Address,
    count: Count,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.bounds.lock().change(self.address, |share| *(self.count)(share) -= 1);
    }
}

/// A connection's place; given back when dropped.
#[derive(Debug)]
pub struct Permit {
    held: Held,
}

/// A stream's room; given back when dropped.
#[derive(Debug)]
pub struct OpenStream {
    _held: Held,
}

/// A waiting request's room; given back when dropped.
#[derive(Debug)]
pub struct WaitingRequest {
    _held: Held,
}

impl Permit {
    /// Everybody's bounds.
    pub fn bounds(&self) -> &Arc<Bounds> {
        &self.held.bounds
    }

    /// The memory that this client may take.
    pub fn purse(&self) -> Purse {
        Purse::new(Arc::clone(&self.bounds().memory), self.held.address)
    }

    /// Room for a stream on this connection.
    ///
    /// # Errors
    /// When the client has all the streams it may have.
    pub fn open_stream(&self) -> Result<OpenStream, Limit> {
        let most = self.bounds().limits.streams_per_client;
        let limit = Limit::StreamsPerClient;
        self.take(|share| &mut share.streams, (most, limit), (usize::MAX, limit))
            .map(|held| OpenStream { _held: held })
    }

    /// Room for a request to wait until it is known who asks.
    ///
    /// # Errors
    /// When this client, or all together, have enough that wait.
    pub fn wait(&self) -> Result<WaitingRequest, Limit> {
        let most = self.bounds().limits.waiting;
        let one = (most / WAITING_SHARE).max(1);
        self.take(|share| &mut share.waiting, (one, Limit::Waiting), (most, Limit::Waiting))
            .map(|held| WaitingRequest { _held: held })
    }

    fn take(&self, count: Count, one: (usize, Limit), all: (usize, Limit)) -> Result<Held, Limit> {
        self.bounds().take(self.held.address, count, one, all)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.bounds().memory.disconnected();
    }
}

/// What is taken, and how often that was not enough, as our own subcommands get it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Connections that are open.
    pub connections: usize,
    /// The most there may be.
    pub most_connections: usize,
    /// Streams that are open.
    pub streams: usize,
    /// Requests that wait until it is known who asks.
    pub waiting: usize,
    /// Memory that requests take, in bytes, as far as it is counted.
    pub memory: usize,
    /// What the process may grow by with as many connections as there may be, in bytes.
    pub most_growth: usize,
    /// Client addresses that have anything.
    pub clients: usize,
    /// How often each limit was reached.
    pub limits: Vec<LimitUsage>,
    /// How often serving a connection failed inside sockwarden.
    pub panics: u64,
    /// Tasks that are alive; those that carry connections come and go with them.
    pub tasks: usize,
}

/// How often a limit was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LimitUsage {
    /// The flag that sets it.
    pub option: &'static str,
    /// How often.
    pub reached: u64,
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::config::options::SETTINGS;

    const MIB: usize = 1024 * 1024;

    fn peer(address: &str) -> Peer {
        Peer::tcp(format!("{address}:1").parse().unwrap(), Ipv4Addr::LOCALHOST.into())
    }

    fn bounds(connections: usize, per_client: usize) -> Arc<Bounds> {
        let limits = Limits {
            connections,
            connections_per_client: per_client,
            streams_per_client: 1,
            waiting: 8,
            ..Limits::default()
        };
        Bounds::new(limits, usize::MAX)
    }

    #[test]
    fn whoever_takes_too_much_is_refused_alone() {
        let bounds = bounds(3, 2);
        let greedy: Vec<_> = (0..2).map(|_| bounds.admit(&peer("10.0.0.1")).unwrap()).collect();
        assert_eq!(bounds.admit(&peer("10.0.0.1")).unwrap_err(), Limit::ConnectionsPerClient);
        let other = bounds.admit(&peer("10.0.0.2")).unwrap();
        assert_eq!(bounds.admit(&peer("10.0.0.3")).unwrap_err(), Limit::Connections);
        let stream = greedy[0].open_stream().unwrap();
        assert_eq!(greedy[1].open_stream().unwrap_err(), Limit::StreamsPerClient);
        let _other_stream = other.open_stream().unwrap();
        drop(stream);
        drop(greedy[1].open_stream().unwrap());
        drop(greedy);
        drop(bounds.admit(&peer("10.0.0.3")).unwrap());
    }

    #[test]
    fn one_client_leaves_room_for_others_to_wait() {
        let bounds = bounds(100, 100);
        let seat = |address: &str| bounds.admit(&peer(address)).unwrap();
        let greedy = seat("10.0.0.1");
        let mut waiting: Vec<_> = (0..2).map(|_| greedy.wait().unwrap()).collect();
        assert_eq!(greedy.wait().unwrap_err(), Limit::Waiting);
        let others: Vec<_> = (2..5).map(|last| seat(&format!("10.0.0.{last}"))).collect();
        for other in &others {
            waiting.extend((0..2).map(|_| other.wait().unwrap()));
        }
        assert_eq!(seat("10.0.0.9").wait().unwrap_err(), Limit::Waiting);
        waiting.pop();
        drop(seat("10.0.0.9").wait().unwrap());
    }

    #[test]
    fn everything_is_given_back() {
        let bounds = bounds(5000, 2);
        let nothing = bounds.usage();
        let places: Vec<_> = (0..4000)
            .map(|n| bounds.admit(&peer(&Ipv4Addr::from_bits(n).to_string())).unwrap())
            .collect();
        let streams: Vec<_> = places.iter().map(|place| place.open_stream().unwrap()).collect();
        let usage = bounds.usage();
        assert_eq!((usage.connections, usage.streams, usage.clients), (4000, 4000, 4000));
        drop(places);
        // A stream may outlive the connection that it came on.
        assert_eq!(bounds.usage().clients, 4000);
        drop(streams);
        assert_eq!(bounds.usage(), nothing);
        assert!(bounds.lock().clients.capacity() < 1000);
    }

    #[test]
    fn what_is_raised_raises_the_bound_by_the_formula() {
        let growth = |body: usize, memory: usize, connections: usize| {
            let limits = Limits {
                inspected_body_limit: body * MIB,
                memory: memory * MIB,
                ..Limits::default()
            };
            Bounds::new(limits, usize::MAX).most_growth(connections)
        };
        assert_eq!(growth(4, 96, 1000), 96 * MIB);
        assert_eq!(growth(8, 96, 1000), 96 * MIB);
        assert_eq!(growth(64, 96, 1000), (96 + (64 - 16) + (64 + 8 - 16)) * MIB);
        assert_eq!(growth(64, 480, 1000), 480 * MIB);
        assert_eq!(growth(4, 96, 2000), 96 * MIB + 1000 * 24 * 1024);
    }

    #[test]
    fn there_are_never_more_connections_than_descriptors() {
        assert_eq!(Bounds::new(Limits::default(), 7).limits().connections, 7);
        assert_eq!(Bounds::new(Limits::default(), usize::MAX).limits(), &Limits::default());
    }

    #[test]
    fn every_limit_is_counted_by_itself_and_names_its_option() {
        let bounds = bounds(1, 1);
        for (index, limit) in Limit::ALL.into_iter().enumerate() {
            for _ in 0..=index {
                bounds.reached(limit, &"somebody");
            }
            assert!(limit.message(bounds.limits()).contains(&limit.setting().to_string()));
            assert!(SETTINGS.iter().any(|setting| setting.flag() == limit.setting().flag()));
        }
        for (index, usage) in bounds.usage().limits.iter().enumerate() {
            assert_eq!(usage.reached, index as u64 + 1, "{usage:?}");
        }
    }
}
