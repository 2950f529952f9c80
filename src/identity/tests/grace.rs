//! How long a creator that was removed stands for what it created.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::dice::Dice;
use super::engine::City;
use super::simulation::labels;
use super::world::{Holder, New, death};
use crate::admission::AdmissionList;
use crate::bounds::{Bounds, Limits};
use crate::client::{ContainerId, Identity, MadeBy, Peer};
use crate::identity::{Sources, Visitor};
use crate::registry::{OwnContainer, Registry};

/// A creator and what it created, on an engine that is well.
struct Family {
    city: City,
    sources: Arc<Sources>,
    bounds: Arc<Bounds>,
    creator: ContainerId,
    child: ContainerId,
    _tasks: JoinSet<()>,
}

impl Family {
    async fn new() -> Self {
        let mut tasks = JoinSet::new();
        let city = City::new(true, Dice::new(1));
        let engine = city.open(&mut tasks);
        let (creator, child, own) = {
            let world = &mut city.lock().world;
            let own = world.containers[&world.ours].name.clone();
            let creator = New { is_labelled: true, ..New::default() };
            let (creator, _) = world.create(creator, None, &[0]);
            let name = world.containers[&creator].name.clone();
            let child = New { creator: Some(name), ..New::default() };
            let (child, _) = world.create(child, None, &[0]);
            world.start(creator);
            world.start(child);
            (creator, child, OwnContainer::Named(own))
        };
        let registry = Registry::new(engine, &own, labels()).await.unwrap();
        tasks.spawn(Arc::clone(&registry).keep_fresh());
        let sources = Arc::new(Sources::new(Some(registry)));
        let bounds = Bounds::new(Limits::default(), 1000);
        sleep(Duration::from_secs(1)).await;
        Self { city, sources, bounds, creator, child, _tasks: tasks }
    }

    /// A connection of the child.
    fn connect(&self) -> Visitor {
        let state = self.city.lock();
        let of_child = Holder::Container(self.child);
        let mut addresses = (1..=250).map(|digit| state.world.address(0, digit));
        let address = addresses.find(|it| state.world.holder(*it) == of_child).unwrap();
        let peer = SocketAddr::new(IpAddr::V4(address), 5);
        let peer = Peer::tcp(peer, state.world.our_address(0).unwrap());
        Visitor::new(Arc::clone(&self.sources), peer)
    }

    /// The name of its creator, or that it has none.
    async fn creator_of(&self, visitor: &Visitor) -> String {
        let permit = self.bounds.admit(visitor.peer()).unwrap();
        let asker = visitor.who(&permit, &AdmissionList::new(&[])).await;
        let Identity::Containers(containers) = asker.unwrap().client.identity else {
            return "nobody".to_owned();
        };
        let told = containers[0].lineage.makers.iter().map(|made_by| match made_by {
            MadeBy::Container(container) => container.name.clone(),
            MadeBy::Gone(_) => "gone".to_owned(),
            other => format!("{other:?}"),
        });
        told.collect::<Vec<_>>().join(",")
    }

    fn remove_creator(&self) {
        let mut events = vec![death(self.creator)];
        let mut state = self.city.lock();
        events.extend(state.world.stopped(self.creator));
        events.extend(state.world.remove(self.creator));
        drop(state);
        self.city.publish(events);
    }

    fn name(&self) -> String {
        self.city.lock().world.containers[&self.creator].name.clone()
    }
}

fn is_cut(visitor: &Visitor) -> bool {
    pin!(visitor.must_end()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

fn run(scenario: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(scenario);
}

const MINUTE: Duration = Duration::from_mins(1);

#[test]
fn a_creator_that_was_removed_stands_for_ten_minutes() {
    run(async {
        let family = Family::new().await;
        let name = family.name();
        let first = family.connect();
        assert_eq!(family.creator_of(&first).await, name);
        family.remove_creator();
        sleep(Duration::from_secs(1)).await;
        assert!(is_cut(&first));
        let second = family.connect();
        assert_eq!(family.creator_of(&second).await, name);
        sleep(MINUTE * 9).await;
        assert_eq!(family.creator_of(&second).await, name);
        assert_eq!(family.creator_of(&family.connect()).await, name);
        assert!(!is_cut(&second));
        sleep(MINUTE).await;
        assert!(is_cut(&second), "what is open ends with it");
        assert_eq!(family.creator_of(&family.connect()).await, "gone");
    });
}

#[test]
fn a_new_creator_takes_its_place_at_once() {
    run(async {
        let family = Family::new().await;
        let name = family.name();
        family.remove_creator();
        sleep(Duration::from_secs(1)).await;
        let open = family.connect();
        assert_eq!(family.creator_of(&open).await, name);
        let new = New { name: Some(name.clone()), ..New::default() };
        let (new, events) = family.city.lock().world.create(new, None, &[0]);
        family.city.publish(events);
        sleep(Duration::from_secs(1)).await;
        assert!(is_cut(&open), "it rested on the one that was removed");
        assert_eq!(family.creator_of(&family.connect()).await, name);
        // Once that is removed too, the first does not come back.
        let events = family.city.lock().world.remove(new);
        family.city.publish(events);
        sleep(MINUTE * 9).await;
        assert_eq!(family.creator_of(&family.connect()).await, name);
        sleep(MINUTE + Duration::from_secs(1)).await;
        assert_eq!(family.creator_of(&family.connect()).await, "gone");
    });
}

/// When it was removed, nobody can say: it counts from the last time that it was seen.
#[test]
fn a_removal_that_nobody_told_of_counts_from_the_last_list() {
    run(async {
        let family = Family::new().await;
        let name = family.name();
        sleep(MINUTE).await;
        family.city.lock().to_lose = 100;
        family.remove_creator();
        family.city.lock().to_lose = 0;
        assert_eq!(family.creator_of(&family.connect()).await, name);
        sleep(MINUTE * 9 + Duration::from_secs(5)).await;
        assert_eq!(family.creator_of(&family.connect()).await, "gone");
    });
}

/// Before the first list after a start nobody knows who was there.
#[test]
fn a_creator_that_was_never_seen_is_gone() {
    run(async {
        let family = Family::new().await;
        {
            let world = &mut family.city.lock().world;
            let name = world.containers[&family.creator].name.clone();
            world.stopped(family.creator);
            world.remove(family.creator);
            assert!(world.free_names().contains(&name));
        }
        let own = {
            let world = &family.city.lock().world;
            OwnContainer::Named(world.containers[&world.ours].name.clone())
        };
        let mut tasks = JoinSet::new();
        let engine = family.city.open(&mut tasks);
        let registry = Registry::new(engine, &own, labels()).await.unwrap();
        tasks.spawn(Arc::clone(&registry).keep_fresh());
        let sources = Arc::new(Sources::new(Some(registry)));
        sleep(Duration::from_secs(1)).await;
        let visitor = Visitor::new(sources, *family.connect().peer());
        assert_eq!(family.creator_of(&visitor).await, "gone");
    });
}
