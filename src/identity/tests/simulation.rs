//! One life of a registry, decided by a seed: what happens at the engine, who asks, and what has to be true after every step.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::connection::Connection;
use super::dice::Dice;
use super::engine::{City, Mood};
use super::story::Story;
use super::world::{Container, Event, Holder, Made, NETWORKS, New, death};
use crate::bounds::Bounds;
use crate::bounds::Limits;
use crate::clauses::Defaults;
use crate::client::{ContainerId, Peer};
use crate::identity::{Sources, Visitor};
use crate::registry::OwnContainer;
use crate::registry::{LabelPolicy, Registry};

const STEPS: usize = 40;
/// The first steps fill the world.
const FIRST_STEPS: usize = 5;
const MOST_CONTAINERS: usize = 8;
const MOST_CONNECTIONS: usize = 12;
/// In so much time everything that was lost has been listed again.
const SETTLED: Duration = Duration::from_secs(160);

pub(super) struct Simulation {
    dice: Dice,
    city: City,
    registry: Arc<Registry>,
    sources: Arc<Sources>,
    bounds: Arc<Bounds>,
    connections: Vec<Arc<Connection>>,
    tasks: JoinSet<()>,
    asking: JoinSet<()>,
    /// Those that were told to have died and still have their addresses.
    later: Vec<ContainerId>,
    /// One that stops as soon as it has connected.
    doomed: Option<ContainerId>,
    /// One that starts as soon as it may, and connects at once.
    hasty: Option<ContainerId>,
    /// One whose creator was just removed: it connects next, and asks once its creator counts no longer.
    bereaved: Option<ContainerId>,
    /// The next step comes so late.
    mourns: bool,
    story: Story,
}

/// Labels as they are read by default.
pub(super) fn labels() -> LabelPolicy {
    LabelPolicy {
        prefixes: vec!["sockwarden".to_owned()],
        trust_image_labels: false,
        limits: Defaults::default(),
    }
}

impl Simulation {
    pub(super) async fn new(seed: u64, hides_departures: bool) -> Self {
        let mut dice = Dice::new(seed);
        let mut tasks = JoinSet::new();
        let city = City::new(!dice.one_in(4), Dice::new(!seed));
        city.lock().hides_departures = hides_departures;
        let engine = city.open(&mut tasks);
        let own =
            OwnContainer::Named(city.lock().world.containers.values().next().unwrap().name.clone());
        let registry = Registry::new(engine, &own, labels()).await.unwrap();
        tasks.spawn(Arc::clone(&registry).keep_fresh());
        let sources = Sources::new(Some(Arc::clone(&registry)));
        Self {
            dice,
            city,
            registry,
            sources: Arc::new(sources),
            bounds: Bounds::new(Limits::default(), 10_000),
            connections: Vec::new(),
            tasks,
            asking: JoinSet::new(),
            later: Vec::new(),
            doomed: None,
            hasty: None,
            bereaved: None,
            mourns: false,
            story: Story::begin(),
        }
    }

    /// Lives through all steps.
    ///
    /// # Errors
    /// What happened up to the moment when somebody had a right that the engine does not give.
    pub(super) async fn run(mut self) -> Result<(), String> {
        for step in 0..STEPS {
            if step < FIRST_STEPS {
                self.create();
                self.start();
            } else {
                self.step();
            }
            let pause = match self.dice.up_to(19) {
                _ if std::mem::take(&mut self.mourns) => self.dice.up_to(900_000),
                0..=6 => self.dice.up_to(5),
                7..=16 => self.dice.up_to(200),
                17 | 18 => self.dice.up_to(1000),
                _ => self.dice.up_to(20_000),
            };
            sleep(Duration::from_millis(pause)).await;
            self.check(false)?;
        }
        self.settle().await
    }

    /// The engine is well again, and what was lost is listed.
    async fn settle(&mut self) -> Result<(), String> {
        self.story.tell(|| "everything settles".to_owned());
        {
            let mut state = self.city.lock();
            (state.mood, state.to_lose) = (Mood::Well, 0);
        }
        sleep(SETTLED).await;
        self.check(true)
    }

    fn check(&mut self, has_settled: bool) -> Result<(), String> {
        while self.asking.try_join_next().is_some() {}
        self.city.lock().tidy();
        if self.registry.is_fresh() {
            for connection in &self.connections {
                if let Some(wrong) = connection.overstays(&self.city, has_settled) {
                    self.story
                        .go_wrong(&format!("connection {} is open: {wrong}", connection.number));
                }
            }
        } else if has_settled {
            self.story.go_wrong("the events are not followed again");
        }
        self.connections.retain(|it| !it.is_cut());
        self.story.end()
    }

    /// One thing happens.
    fn step(&mut self) {
        if let Some(id) = self.doomed.take().filter(|id| self.others(|it| it.runs).contains(id)) {
            return self.strike(id);
        }
        if let Some(id) = self.hasty.take() {
            return self.hurry(id);
        }
        if let Some(id) = self.bereaved.take() {
            self.mourns = true;
            return self.arrive_from(&[id]);
        }
        match self.dice.up_to(41) {
            0..=2 => self.create(),
            3..=6 => self.start(),
            7..=9 => self.stop(),
            10 => self.remove(),
            11 => self.rename(),
            12 | 13 => self.connect(),
            14 | 15 => self.disconnect(),
            16 => self.take_over(),
            17 => self.move_ourselves(),
            18 => self.rebuild_network(),
            19 => self.lose_the_engine(),
            20 => {
                let count = usize::try_from(self.dice.up_to(3)).unwrap();
                self.story.tell(|| format!("{count} events will be lost"));
                self.city.lock().to_lose = count;
            }
            21 | 22 => {
                let moods =
                    [Mood::Well, Mood::Well, Mood::Slow, Mood::Slow, Mood::Stuck, Mood::Refusing];
                let mood = self.dice.pick(&moods).unwrap();
                self.be(mood);
            }
            23..=30 => self.arrive(),
            31 | 32 => self.bereave(),
            _ => self.ask(),
        }
        self.finish_stops();
    }

    fn be(&mut self, mood: Mood) {
        self.story.tell(|| format!("the engine: {mood:?}"));
        self.city.lock().mood = mood;
    }

    /// The events break, and the engine may be of no use for a while.
    fn lose_the_engine(&mut self) {
        self.story.tell(|| "the events break".to_owned());
        self.city.break_stream();
        let mood = self.dice.pick(&[Mood::Well, Mood::Slow, Mood::Stuck, Mood::Refusing]).unwrap();
        self.be(mood);
        let running = self.others(|it| it.runs);
        self.doomed = if self.dice.one_in(3) { None } else { self.one_of(running) };
    }

    /// One of these containers; rather one that has a connection.
    fn one_of(&mut self, mut these: Vec<ContainerId>) -> Option<ContainerId> {
        if !self.dice.one_in(3) {
            let has_connection = |id: &ContainerId| {
                let world = &self.city.lock().world;
                let holders = self.connections.iter().map(|it| world.holder(it.address));
                holders.into_iter().any(|holder| holder == Holder::Container(*id))
            };
            let with: Vec<_> = these.iter().copied().filter(has_connection).collect();
            if !with.is_empty() {
                these = with;
            }
        }
        self.dice.pick(&these)
    }

    fn others(&self, is_it: impl Fn(&Container) -> bool) -> Vec<ContainerId> {
        let state = self.city.lock();
        let all = state.world.containers.iter();
        all.filter(|(id, it)| **id != state.world.ours && is_it(it)).map(|(id, _)| *id).collect()
    }

    fn happens(&mut self, what: impl FnOnce() -> String, events: Vec<Event>) {
        self.story.tell(what);
        self.city.publish(events);
    }

    fn create(&mut self) {
        if self.city.lock().world.containers.len() >= MOST_CONTAINERS {
            return;
        }
        let owners = self.others(|it| it.runs);
        let owner = if self.dice.one_in(3) { self.dice.pick(&owners) } else { None };
        let mut networks: Vec<usize> = (0..NETWORKS).filter(|_| self.dice.one_in(2)).collect();
        networks.retain(|it| self.city.lock().world.networks[*it].id.is_some());
        let is_labelled = self.dice.one_in(2);
        let made = self.dice.pick(&[Made::ByName, Made::ById, Made::ForStep]).unwrap();
        let (creator, name) = self.parentage();
        let told = format!("{creator:?} {name:?}");
        let new = New { is_labelled, made, creator, name };
        let (id, events) = self.city.lock().world.create(new, owner, &networks);
        self.hasty = owner.map(|_| id);
        if self.hasty.is_some() && self.dice.one_in(2) {
            // What is asked about the new one takes its time.
            self.be(Mood::Stuck);
        }
        let short = owner.map(|owner| owner.short());
        self.happens(
            || format!("create {} {made:?} {told} on {networks:?} with {short:?}", id.short()),
            events,
        );
    }

    /// Who created a new container, and the name that it takes of one that was removed and had created others.
    fn parentage(&mut self) -> (Option<String>, Option<String>) {
        let free = self.city.lock().world.free_names();
        let name = (!free.is_empty() && self.dice.one_in(2)).then(|| {
            let place = self.dice.up_to(u64::try_from(free.len() - 1).unwrap());
            free[usize::try_from(place).unwrap()].clone()
        });
        let all = self.others(|_| true);
        let creator = if self.dice.one_in(2) { self.dice.pick(&all) } else { None };
        let creator = creator.map(|id| self.city.lock().world.containers[&id].name.clone());
        (creator, name)
    }

    fn start(&mut self) {
        let stopped = self.others(|it| !it.runs);
        if let Some(id) = self.dice.pick(&stopped) {
            self.start_this(id);
        }
    }

    /// Starts a container that was just created, and lets it connect; if it may not start yet, it comes back.
    fn hurry(&mut self, id: ContainerId) {
        self.start_this(id);
        if self.others(|it| it.runs).contains(&id) {
            if self.city.lock().mood == Mood::Stuck {
                self.be(Mood::Well);
            }
            self.arrive_from(&[id]);
        } else {
            self.hasty = self.dice.one_in(2).then_some(id);
        }
    }

    fn start_this(&mut self, id: ContainerId) {
        let mut state = self.city.lock();
        let Some(container) = state.world.containers.get(&id) else { return };
        let owner = container.shares_with;
        let may = owner.is_none_or(|owner| {
            state.world.containers.get(&owner).is_some_and(|it| it.runs && !it.is_cut_off)
        });
        // Docker tells of a creation before the container can be started. Podman may be later.
        if !may || self.later.contains(&id) || (state.is_docker && !state.creation_told(id)) {
            return;
        }
        let events = state.world.start(id);
        drop(state);
        self.happens(|| format!("start {}", id.short()), events);
    }

    fn stop(&mut self) {
        let running = self.others(|it| it.runs);
        let Some(id) = self.one_of(running) else { return };
        self.stop_this(id);
    }

    fn stop_this(&mut self, id: ContainerId) {
        if self.later.contains(&id) {
            return;
        }
        let die = death(id);
        if self.dice.one_in(2) {
            self.later.push(id);
            self.happens(|| format!("{} is dying", id.short()), vec![die]);
        } else {
            let mut events = self.city.lock().world.stopped(id);
            events.insert(0, die);
            self.happens(|| format!("stop {}", id.short()), events);
        }
    }

    /// Removes the creator of one that has a connection.
    fn bereave(&mut self) {
        let creators: Vec<_> = self.connections.iter().filter_map(|it| it.orphan()).collect();
        let Some((child, creator)) = self.dice.pick(&creators) else { return };
        let mut state = self.city.lock();
        let is_there = state.world.containers.get(&creator).map(|it| it.runs);
        let Some(runs) = is_there.filter(|_| !self.later.contains(&creator)) else { return };
        let mut events = Vec::new();
        if runs {
            events.push(death(creator));
            events.extend(state.world.stopped(creator));
        }
        events.extend(state.world.remove(creator));
        drop(state);
        self.happens(|| format!("{} is removed, which created another", creator.short()), events);
        self.bereaved = Some(child);
    }

    /// Stops a container, and what it sent before arrives now.
    fn strike(&mut self, id: ContainerId) {
        if self.later.contains(&id) {
            return;
        }
        let is_slow = self.city.lock().mood == Mood::Slow;
        if self.dice.one_in(if is_slow { 2 } else { 6 }) {
            // Nobody tells of it: the engine was restarted, and is well again.
            self.story.tell(|| "the events break".to_owned());
            self.city.break_stream();
            self.be(Mood::Well);
        }
        let mut events = vec![death(id)];
        events.extend(self.city.lock().world.stopped(id));
        self.happens(|| format!("stop {} at once", id.short()), events);
        for connection in self.connections.clone() {
            if connection.recognised().is_some_and(|(holder, _)| holder == id) {
                self.ask_on(&connection);
            }
        }
    }

    /// What was told to have died loses its addresses, sooner or later.
    fn finish_stops(&mut self) {
        if !self.later.is_empty() && self.dice.one_in(2) {
            let id = self.later.remove(0);
            let events = self.city.lock().world.stopped(id);
            self.happens(|| format!("stop {}", id.short()), events);
        }
    }

    fn remove(&mut self) {
        let stopped = self.others(|it| !it.runs);
        let Some(id) = self.dice.pick(&stopped) else { return };
        let events = self.city.lock().world.remove(id);
        self.happens(|| format!("remove {}", id.short()), events);
    }

    fn rename(&mut self) {
        let all = self.others(|_| true);
        let Some(id) = self.dice.pick(&all) else { return };
        let events = self.city.lock().world.rename(id);
        self.happens(|| format!("rename {}", id.short()), events);
    }

    fn connect(&mut self) {
        let all = self.others(|it| it.shares_with.is_none());
        let Some(id) = self.dice.pick(&all) else { return };
        let network = self.network();
        let events = self.city.lock().world.connect(id, network);
        self.happens(|| format!("connect {} to {network}", id.short()), events);
    }

    fn disconnect(&mut self) {
        let network = self.network();
        let all = self.others(|it| it.attached.contains_key(&network));
        let Some(id) = self.one_of(all) else { return };
        let events = self.city.lock().world.disconnect(id, network);
        self.happens(|| format!("disconnect {} from {network}", id.short()), events);
    }

    /// One container gets the address of another that goes on running.
    fn take_over(&mut self) {
        let network = self.network();
        let there = self.others(|it| it.attached.get(&network).is_some_and(Option::is_some));
        let away = self.others(|it| {
            it.runs && it.shares_with.is_none() && !it.attached.contains_key(&network)
        });
        let (Some(victim), Some(thief)) = (self.one_of(there), self.dice.pick(&away)) else {
            return;
        };
        let mut state = self.city.lock();
        let mut events = state.world.disconnect(victim, network);
        events.extend(state.world.connect(thief, network));
        drop(state);
        self.happens(
            || format!("{} takes over from {} on {network}", thief.short(), victim.short()),
            events,
        );
    }

    fn move_ourselves(&mut self) {
        let network = self.network();
        let mut state = self.city.lock();
        let ours = state.world.ours;
        let is_there = state.world.our_address(network).is_some();
        let events = if is_there {
            state.world.disconnect(ours, network)
        } else {
            state.world.connect(ours, network)
        };
        drop(state);
        self.happens(
            || format!("we {} {network}", if is_there { "leave" } else { "join" }),
            events,
        );
    }

    fn rebuild_network(&mut self) {
        let network = self.network();
        let mut state = self.city.lock();
        if state.world.networks[network].id.is_none() {
            state.world.make_network(network);
            drop(state);
            self.happens(|| format!("network {network} is made"), Vec::new());
        } else if state.world.is_empty(network) {
            let events = state.world.destroy_network(network);
            drop(state);
            self.happens(|| format!("network {network} is removed"), events);
        }
    }

    fn network(&mut self) -> usize {
        usize::try_from(self.dice.up_to(2)).unwrap()
    }

    /// A container connects to us, over a network that we share.
    fn arrive(&mut self) {
        if self.connections.len() >= MOST_CONNECTIONS {
            self.connections.remove(0);
        }
        let running = self.others(|it| it.runs && !it.is_cut_off);
        self.arrive_from(&running);
    }

    fn arrive_from(&mut self, running: &[ContainerId]) {
        let ways: Vec<_> = {
            let world = &self.city.lock().world;
            let reach = |id: ContainerId, network: usize| {
                let holder = world.containers.get(&world.speaks_as(id))?;
                let address = holder.attached.get(&network).copied().flatten()?;
                Some((id, address, world.our_address(network)?))
            };
            let pairs = running.iter().flat_map(|id| (0..NETWORKS).map(|network| (*id, network)));
            pairs.filter_map(|(id, network)| reach(id, network)).collect()
        };
        let Some((id, address, local)) = self.dice.pick(&ways) else { return };
        let state = self.city.lock();
        let holder = state.world.speaks_as(id);
        let accepted = state.world.version;
        drop(state);
        let peer = Peer::tcp(SocketAddr::new(IpAddr::V4(address), 40_000), local);
        let number = self.story.length();
        let connection = Arc::new(Connection {
            number,
            visitor: Visitor::new(Arc::clone(&self.sources), peer),
            place: self.bounds.admit(&peer).unwrap(),
            opened_by: id,
            address,
            accepted,
            asks: AtomicBool::new(false),
            recognised: Mutex::new(None),
            creators: Mutex::default(),
        });
        self.story.tell(|| format!("connection {number} from {} at {address}", id.short()));
        self.doomed = self.dice.one_in(4).then_some(holder);
        self.connections.push(Arc::clone(&connection));
        self.ask_on(&connection);
    }

    /// A request comes on one of the connections; rather on one whose container has gone, with bytes that were on their way.
    fn ask(&mut self) {
        let mut asking: Vec<_> = (0..self.connections.len()).collect();
        if self.dice.one_in(2) {
            let state = self.city.lock();
            let has_gone = |index: &usize| {
                let connection = &self.connections[*index];
                let holder = state.world.holder(connection.address);
                connection.recognised().is_some_and(|(id, _)| holder != Holder::Container(id))
            };
            let gone: Vec<_> = asking.iter().copied().filter(has_gone).collect();
            if !gone.is_empty() {
                asking = gone;
            }
        }
        if let Some(index) = self.dice.pick(&asking) {
            let connection = Arc::clone(&self.connections[index]);
            self.ask_on(&connection);
        }
    }

    fn ask_on(&mut self, connection: &Arc<Connection>) {
        if !connection.is_cut() && !connection.asks.swap(true, Ordering::SeqCst) {
            self.story.tell(|| format!("connection {} asks", connection.number));
            let asking = Arc::clone(connection).ask(
                self.city.clone(),
                Arc::clone(&self.registry),
                self.story.clone(),
            );
            self.asking.spawn(asking);
        }
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        self.tasks.abort_all();
        self.asking.abort_all();
    }
}
