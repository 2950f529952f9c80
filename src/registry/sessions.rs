//! The connections of recognised containers, so that they end with what made them right.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::shared::lock;
use crate::client::{Container, ContainerId};

/// How many departures are remembered: as many as may be told while one look at a network is under way.
const REMEMBERED_DEPARTURES: usize = 4096;

/// The switch that ends one connection from outside.
#[derive(Debug)]
pub struct Cut(watch::Sender<Option<&'static str>>);

impl Default for Cut {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Cut {
    /// Ends the connection, for a reason that the log gets.
    pub fn cut(&self, reason: &'static str) {
        self.0.send_if_modified(|cut| {
            let first = cut.is_none();
            if first {
                *cut = Some(reason);
            }
            first
        });
    }

    /// Waits until somebody ends the connection, and says why.
    pub async fn wait(&self) -> &'static str {
        let mut receiver = self.0.subscribe();
        loop {
            let reason = *receiver.borrow_and_update();
            match reason {
                Some(reason) => return reason,
                // The sender lives as long as this borrow of it.
                None => drop(receiver.changed().await),
            }
        }
    }
}

/// All connections of recognised containers.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    open: HashMap<u64, Entry>,
    by_container: HashMap<ContainerId, HashSet<u64>>,
    departures: u64,
    recent: VecDeque<(u64, ContainerId)>,
    /// The mark from which on `recent` has all departures.
    complete_from: u64,
}

/// How a connection came to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Over a network on which we have an address, which it ends with.
    Direct,
    /// Some other way; its network is the one that its container has the address on.
    Routed,
}

#[derive(Debug)]
struct Entry {
    network: String,
    way: Way,
    remote: IpAddr,
    /// The holder of the address first, then those that share it.
    containers: Vec<ContainerId>,
    /// Who created them: what they may do goes with these.
    creators: Vec<Arc<Container>>,
    is_renamed: Arc<AtomicBool>,
    cut: Arc<Cut>,
}

/// One connection among those that end with their container; leaves them when dropped.
#[derive(Debug)]
pub struct Session {
    number: u64,
    /// One of its containers got another name since it was opened.
    is_renamed: Arc<AtomicBool>,
    state: Arc<Mutex<State>>,
}

impl Session {
    /// Whether its containers are still called what they were.
    pub(super) fn has_its_names(&self) -> bool {
        !self.is_renamed.load(Ordering::SeqCst)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        let Some(entry) = state.open.remove(&self.number) else { return };
        for id in entry.containers {
            if let Some(numbers) = state.by_container.get_mut(&id) {
                numbers.remove(&self.number);
                if numbers.is_empty() {
                    state.by_container.remove(&id);
                }
            }
        }
    }
}

impl State {
    fn note_departure(&mut self, id: ContainerId) {
        self.departures += 1;
        let number = self.departures;
        self.recent.push_back((number, id));
        if self.recent.len() > REMEMBERED_DEPARTURES
            && let Some((oldest, _)) = self.recent.pop_front()
        {
            self.complete_from = oldest;
        }
    }

    fn orphan(&self, is_gone: impl Fn(&Container) -> bool) {
        for entry in self.open.values() {
            if entry.creators.iter().any(|creator| is_gone(creator)) {
                entry.cut.cut("the client that created its container is gone");
            }
        }
    }
}

impl Sessions {
    pub(super) fn open(
        &self,
        network: &str,
        way: Way,
        remote: IpAddr,
        containers: Vec<ContainerId>,
        cut: &Arc<Cut>,
    ) -> Session {
        let mut state = lock(&self.state);
        state.next += 1;
        let number = state.next;
        for id in &containers {
            state.by_container.entry(*id).or_default().insert(number);
        }
        let (network, cut) = (network.to_owned(), Arc::clone(cut));
        let is_renamed = Arc::<AtomicBool>::default();
        let entry = Entry {
            network,
            way,
            remote,
            containers,
            creators: Vec::new(),
            is_renamed: Arc::clone(&is_renamed),
            cut,
        };
        state.open.insert(number, entry);
        Session { number, is_renamed, state: Arc::clone(&self.state) }
    }

    /// A mark to compare later departures with.
    pub(super) fn departures(&self) -> u64 {
        lock(&self.state).departures
    }

    /// Whether a container has died or left a network since the mark; also when so many have that nobody can say.
    pub(super) fn departed_since(&self, mark: u64, id: ContainerId) -> bool {
        #[cfg(test)]
        if super::mistakes::is_made(super::mistakes::Mistake::MissesDepartures) {
            return false;
        }
        let state = lock(&self.state);
        state.complete_from > mark
            || state
                .recent
                .iter()
                .rev()
                .take_while(|(number, _)| *number > mark)
                .any(|(_, gone)| *gone == id)
    }

    /// Anybody may have departed, for all that was told: what the engine was asked before may be old.
    pub(super) fn assume_departures(&self) {
        #[cfg(test)]
        if super::mistakes::is_made(super::mistakes::Mistake::OpensWithOldAnswers) {
            return;
        }
        let mut state = lock(&self.state);
        state.departures += 1;
        state.complete_from = state.departures;
    }

    /// A container died, or left one network: its connections (over that network) end.
    pub(super) fn depart(&self, id: ContainerId, network: Option<&str>, reason: &'static str) {
        let mut state = lock(&self.state);
        state.note_departure(id);
        let numbers = state.by_container.get(&id).into_iter().flatten();
        for entry in numbers.filter_map(|number| state.open.get(number)) {
            if network.is_none_or(|network| entry.network == network) {
                entry.cut.cut(reason);
            }
        }
    }

    /// These created the containers of a connection; it ends when one of them is gone, or gets another name.
    pub(super) fn rest_on(&self, session: &Session, creators: Vec<Arc<Container>>) {
        if let Some(entry) = lock(&self.state).open.get_mut(&session.number) {
            entry.creators = creators;
        }
    }

    /// A container has another name now: whoever looked at it before may have seen the old one, and those that it created lose it.
    pub(super) fn rename(&self, id: ContainerId) {
        let mut state = lock(&self.state);
        state.note_departure(id);
        let numbers = state.by_container.get(&id).into_iter().flatten();
        for entry in numbers.filter_map(|number| state.open.get(number)) {
            entry.is_renamed.store(true, Ordering::SeqCst);
        }
        state.orphan(|creator| creator.id == id);
    }

    /// A container does not exist any more.
    pub(super) fn bury(&self, id: ContainerId) {
        lock(&self.state).orphan(|creator| creator.id == id);
    }

    /// Ends the connections of those whose creator no longer exists under its name.
    pub(super) fn verify_creators(&self, exists: impl Fn(&Container) -> bool) {
        lock(&self.state).orphan(|creator| !exists(creator));
    }

    /// Ends the connections over a network whose address is no longer held by the container that they belong to.
    pub(super) fn verify(&self, network: &str, holder: impl Fn(IpAddr) -> Option<ContainerId>) {
        for entry in lock(&self.state).open.values().filter(|entry| entry.network == network) {
            if holder(entry.remote).as_ref() != entry.containers.first() {
                entry.cut.cut("its address belongs to another container now");
            }
        }
    }

    /// We have left a network: the connections that came over it end.
    pub(super) fn leave(&self, network: &str) {
        let state = lock(&self.state);
        let came_over_it = |entry: &&Entry| entry.way == Way::Direct && entry.network == network;
        for entry in state.open.values().filter(came_over_it) {
            entry.cut.cut("the proxy has left its network");
        }
    }

    /// Whether connections are open over this network.
    pub(super) fn has(&self, network: &str) -> bool {
        lock(&self.state).open.values().any(|entry| entry.network == network)
    }

    /// The networks that connections are open over.
    pub(super) fn networks(&self) -> HashSet<String> {
        lock(&self.state).open.values().map(|entry| entry.network.clone()).collect()
    }

    /// How many connections a container has.
    pub(super) fn count(&self, id: ContainerId) -> usize {
        lock(&self.state).by_container.get(&id).map_or(0, HashSet::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Lineage;
    use crate::rule::labels::Rights;

    fn id(digit: &str) -> ContainerId {
        ContainerId::parse(&digit.repeat(64)).unwrap()
    }

    fn is_cut(cut: &Cut) -> bool {
        cut.0.borrow().is_some()
    }

    #[test]
    fn connections_end_with_their_container() {
        let sessions = Sessions::default();
        let cuts: Vec<_> = (0..3).map(|_| Arc::new(Cut::default())).collect();
        let address = "10.0.0.2".parse().unwrap();
        let _first = sessions.open("n1", Way::Direct, address, vec![id("a")], &cuts[0]);
        let _second = sessions.open("n2", Way::Direct, address, vec![id("a"), id("b")], &cuts[1]);
        let third = sessions.open("n1", Way::Direct, address, vec![id("c")], &cuts[2]);
        assert_eq!(sessions.count(id("a")), 2);
        sessions.depart(id("a"), Some("n1"), "left");
        assert!(is_cut(&cuts[0]) && !is_cut(&cuts[1]) && !is_cut(&cuts[2]));
        sessions.depart(id("b"), None, "died");
        assert!(is_cut(&cuts[1]) && !is_cut(&cuts[2]));
        sessions.verify("n1", |_| Some(id("c")));
        assert!(!is_cut(&cuts[2]));
        sessions.verify("n1", |_| Some(id("d")));
        assert!(is_cut(&cuts[2]));
        drop(third);
        assert_eq!(sessions.count(id("c")), 0);
    }

    #[test]
    fn a_network_that_we_leave_takes_along_what_came_over_it() {
        let sessions = Sessions::default();
        let cuts: Vec<_> = (0..3).map(|_| Arc::new(Cut::default())).collect();
        let address = "10.0.0.2".parse().unwrap();
        let _direct = sessions.open("n1", Way::Direct, address, vec![id("a")], &cuts[0]);
        let _routed = sessions.open("n1", Way::Routed, address, vec![id("a")], &cuts[1]);
        let _other = sessions.open("n2", Way::Direct, address, vec![id("a")], &cuts[2]);
        sessions.leave("n1");
        assert!(is_cut(&cuts[0]) && !is_cut(&cuts[1]) && !is_cut(&cuts[2]));
    }

    #[test]
    fn connections_end_with_the_creator_of_their_container() {
        let sessions = Sessions::default();
        let creator = |digit: &str| {
            let (id, name) = (id(digit), digit.to_owned());
            let (rights, lineage) = (Rights::Unlabelled, Lineage::default());
            Arc::new(Container { id, name, rights, lineage })
        };
        let address = "10.0.0.2".parse().unwrap();
        let open = |digit: &str| {
            let cut = Arc::new(Cut::default());
            let session = sessions.open("n1", Way::Direct, address, vec![id("a")], &cut);
            sessions.rest_on(&session, vec![creator(digit)]);
            (cut, session)
        };
        let connections = ["b", "c", "d", "e"].map(open);
        let cuts = || connections.each_ref().map(|(cut, _)| is_cut(cut));
        // It may start again, and what it created keeps what it has.
        sessions.depart(id("b"), None, "died");
        assert_eq!(cuts(), [false; 4]);
        sessions.bury(id("b"));
        assert_eq!(cuts(), [true, false, false, false]);
        let mark = sessions.departures();
        sessions.rename(id("c"));
        assert_eq!(cuts(), [true, true, false, false]);
        assert!(sessions.departed_since(mark, id("c")));
        sessions.verify_creators(|creator| creator.name != "d");
        assert_eq!(cuts(), [true, true, true, false]);
        assert!(connections[3].1.has_its_names());
        sessions.rename(id("a"));
        assert!(!connections[3].1.has_its_names() && !is_cut(&connections[3].0));
    }

    #[test]
    fn departures_are_remembered_or_assumed() {
        let sessions = Sessions::default();
        let mark = sessions.departures();
        assert!(!sessions.departed_since(mark, id("a")));
        sessions.depart(id("a"), None, "died");
        assert!(sessions.departed_since(mark, id("a")) && !sessions.departed_since(mark, id("b")));
        let later = sessions.departures();
        assert!(!sessions.departed_since(later, id("a")));
        for _ in 0..REMEMBERED_DEPARTURES {
            sessions.depart(id("c"), None, "died");
        }
        assert!(sessions.departed_since(mark, id("b")));
        let later = sessions.departures();
        sessions.assume_departures();
        assert!(sessions.departed_since(later, id("a")));
        assert!(!sessions.departed_since(sessions.departures(), id("a")));
    }
}
