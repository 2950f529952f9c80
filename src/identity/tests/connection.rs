//! A client's connection, and what has to be true of it.

use std::net::Ipv4Addr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::time::Instant;

use super::engine::{City, State};
use super::story::Story;
use super::world::{Holder, Made};
use crate::admission::AdmissionList;
use crate::bounds::Permit;
use crate::client::{Container, ContainerId, Identity, MadeBy, Step};
use crate::identity::Visitor;
use crate::registry::{GRACE, Registry};

/// How long it may take until an event has come and was understood.
const MOMENT: Duration = Duration::from_secs(1);

/// A client's connection.
pub(super) struct Connection {
    pub(super) number: usize,
    pub(super) visitor: Visitor,
    pub(super) place: Permit,
    /// The container that opened it, and the one whose address it came from.
    pub(super) opened_by: ContainerId,
    pub(super) address: Ipv4Addr,
    /// The state of the world when it was accepted.
    pub(super) accepted: u64,
    pub(super) asks: AtomicBool,
    /// Who was recognised last; whether the events were followed then.
    pub(super) recognised: Mutex<Option<(ContainerId, bool)>>,
    /// Those on whom it rests, because they created its containers, with the names that they had.
    pub(super) creators: Mutex<Vec<(ContainerId, String)>>,
}

impl Connection {
    pub(super) fn is_cut(&self) -> bool {
        let cut = pin!(self.visitor.must_end());
        cut.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    pub(super) fn recognised(&self) -> Option<(ContainerId, bool)> {
        *self.recognised.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The container behind it, and one that created it.
    pub(super) fn orphan(&self) -> Option<(ContainerId, ContainerId)> {
        let (id, _) = self.recognised()?;
        let creators = self.creators.lock().unwrap_or_else(PoisonError::into_inner);
        creators.first().map(|(creator, _)| (id, *creator))
    }

    /// Asks who it is, as a request does, and holds the answer against what is true.
    pub(super) async fn ask(self: Arc<Self>, city: City, registry: Arc<Registry>, story: Story) {
        let (before, began) = (city.lock().world.version, Instant::now());
        let is_fresh = registry.is_fresh();
        let answer = self.visitor.who(&self.place, &AdmissionList::new(&[])).await;
        let is_fresh = is_fresh && registry.is_fresh();
        let identity = answer.expect("few requests wait").client.identity;
        // A request on a connection that was cut gets no further.
        if !self.is_cut() {
            story.tell(|| format!("connection {} is {}", self.number, told(&identity)));
            if let Err(wrong) = self.judge(&city, before, began, &identity) {
                story.go_wrong(&format!("connection {}: {wrong}", self.number));
            }
            let holder = match &identity {
                Identity::Containers(containers) => containers.first().map(|it| (it.id, is_fresh)),
                Identity::Plain | Identity::Unknown(_) => None,
            };
            *self.recognised.lock().unwrap_or_else(PoisonError::into_inner) = holder;
            let creators = creators(&identity).map(|it| (it.id, it.name.clone())).collect();
            *self.creators.lock().unwrap_or_else(PoisonError::into_inner) = creators;
        }
        self.asks.store(false, Ordering::SeqCst);
    }

    /// Whether this is who it may be, when it was asked in the version `before` of the world, and at this time.
    fn judge(
        &self,
        city: &City,
        before: u64,
        began: Instant,
        identity: &Identity,
    ) -> Result<(), String> {
        let state = city.lock();
        let world = &state.world;
        match identity {
            Identity::Unknown(_) => Ok(()),
            // Only addresses of containers come here, so nobody may have this one, or we ourselves.
            Identity::Plain => {
                let may =
                    |holder| holder == Holder::Unclaimed || holder == Holder::Container(world.ours);
                let was = world.was(self.address, self.accepted, may);
                was.then_some(()).ok_or_else(|| "a container is taken for somebody else".to_owned())
            }
            Identity::Containers(containers) => {
                let Some(first) = containers.first() else { return Err("nobody".to_owned()) };
                let held = world.was(self.address, before, |it| it == Holder::Container(first.id));
                if !held && !state.departure_untold(first.id) {
                    return Err(format!("{} has not this address", first.id.short()));
                }
                for container in containers.iter() {
                    let known = world.containers.get(&container.id);
                    if known.is_some_and(|it| it.is_labelled == container.is_unlabelled()) {
                        return Err(format!("{} has other labels", container.id.short()));
                    }
                    let has_creator = !container.lineage.makers.is_empty();
                    if known.is_some_and(|it| it.creator.is_some() != has_creator) {
                        return Err(format!("{} has other creators", container.id.short()));
                    }
                    let step = container.lineage.step;
                    if known.is_some_and(|it| (it.made == Made::ForStep) != (step == Step::Yes)) {
                        return Err(format!("{} is a step: {step:?}", container.id.short()));
                    }
                }
                for creator in creators(identity) {
                    stands(&state, creator, began)?;
                }
                // Somebody who speaks with another's address is judged by its own labels too.
                let is_named = containers.iter().any(|it| it.id == self.opened_by);
                let may_speak = world
                    .containers
                    .get(&self.opened_by)
                    .is_some_and(|it| it.runs && it.started <= self.accepted && !it.is_cut_off)
                    && world.speaks_as(self.opened_by) == first.id;
                if may_speak && !is_named && !state.creation_lost(self.opened_by) {
                    return Err(format!("{} goes unnoticed", self.opened_by.short()));
                }
                Ok(())
            }
        }
    }

    /// Whether it is still open to a container that has gone, though that is known by now.
    pub(super) fn overstays(&self, city: &City, has_settled: bool) -> Option<String> {
        let (id, was_fresh) = self.recognised()?;
        let state = city.lock();
        let creators = self.creators.lock().unwrap_or_else(PoisonError::into_inner);
        for (creator, name) in creators.iter() {
            let naming = state.world.called(name).find(|it| it.id == *creator);
            let until = naming.and_then(|it| it.until);
            let is_over = until.is_some_and(|until| until + GRACE + MOMENT < Instant::now());
            if is_over && (has_settled || was_fresh) && !self.is_cut() {
                return Some(format!("its creator {} has gone", creator.short()));
            }
        }
        let is_gone = state.world.holder(self.address) != Holder::Container(id);
        let may = !has_settled && (!was_fresh || state.departure_untold(id));
        (is_gone && !may && !self.is_cut()).then(|| format!("{} has gone", id.short()))
    }
}

/// The containers that created these.
fn creators(identity: &Identity) -> impl Iterator<Item = &Container> {
    let containers = match identity {
        Identity::Containers(containers) => &**containers,
        Identity::Plain | Identity::Unknown(_) => &[],
    };
    let made_by = containers.iter().flat_map(|it| &it.lineage.makers);
    made_by.filter_map(|made_by| match made_by {
        MadeBy::Container(container) => Some(&**container),
        _ => None,
    })
}

/// Whether a container stands for what it created, at some time since then: it has the name, or had it when it was removed, not long ago and without a
/// successor.
fn stands(state: &State, creator: &Container, began: Instant) -> Result<(), String> {
    let wrong = |why: &str| Err(format!("the creator {} {why}", creator.id.short()));
    let mut namings = state.world.called(&creator.name);
    let Some(naming) = namings.find(|it| it.id == creator.id) else {
        return wrong("never had the name");
    };
    if naming.is_labelled == creator.is_unlabelled() || !naming.stands {
        return wrong("stands for nobody, or with other rights");
    }
    let Some(until) = naming.until.filter(|until| *until < began) else { return Ok(()) };
    if state.is_untold(creator.id, &["rename", "destroy"]) {
        return Ok(());
    }
    if !naming.is_removed || until + GRACE + MOMENT < began {
        return wrong("has not the name any more");
    }
    let successor = state
        .world
        .called(&creator.name)
        .find(|it| it.id != creator.id && it.stands && it.from < began && it.until.is_none());
    match successor {
        Some(new) if !state.is_untold(new.id, &["create"]) => wrong("has a successor"),
        _ => Ok(()),
    }
}

fn told(identity: &Identity) -> String {
    match identity {
        Identity::Plain => "nobody's".to_owned(),
        Identity::Unknown(why) => format!("unknown: {why}"),
        Identity::Containers(containers) => {
            let ids: Vec<_> = containers.iter().map(|it| it.id.short()).collect();
            ids.join("+")
        }
    }
}
