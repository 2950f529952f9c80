//! What is remembered of containers and images: only what cannot change under their full id. Nothing in here asks the engine.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use super::shared::lock;
use crate::client::{Container, ContainerId};
use crate::rule::labels::{LabelReader, Rights};

/// An image's labels that speak of rights; `None` for one that is too long to be read.
pub(super) type ImageLabels = BTreeMap<String, Option<String>>;

/// All that is remembered.
#[derive(Debug, Default)]
pub(super) struct Known {
    containers: Mutex<Containers>,
    images: Mutex<HashMap<String, Arc<ImageLabels>>>,
    reader: Mutex<LabelReader>,
}

/// The containers there are.
#[derive(Debug, Default)]
pub(super) struct Containers {
    by_id: HashMap<ContainerId, Arc<Container>>,
    /// Who shares whose network namespace (`network_mode: container:…`), by the one that has the address.
    sharers: HashMap<ContainerId, BTreeSet<ContainerId>>,
    /// Those that were said to have been created, and that nothing else is known of yet: each may share with anybody.
    awaited: BTreeSet<ContainerId>,
}

/// Nobody asked about it yet, or it is gone.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotKnown;

impl Known {
    /// The container with this id.
    pub(super) fn container(&self, id: ContainerId) -> Option<Arc<Container>> {
        lock(&self.containers).by_id.get(&id).cloned()
    }

    /// Notes a container, and the one whose network namespace it shares.
    pub(super) fn remember(&self, container: Arc<Container>, shares_with: Option<ContainerId>) {
        lock(&self.containers).remember(container, shares_with);
    }

    /// A container was created, and the engine has yet to say more of it.
    pub(super) fn expect(&self, id: ContainerId) {
        let mut containers = lock(&self.containers);
        if !containers.by_id.contains_key(&id) {
            containers.awaited.insert(id);
        }
    }

    /// The engine has no such container.
    pub(super) fn expect_no_longer(&self, id: ContainerId) {
        lock(&self.containers).awaited.remove(&id);
    }

    /// The containers that the engine has yet to say more of.
    pub(super) fn awaited(&self) -> BTreeSet<ContainerId> {
        lock(&self.containers).awaited.clone()
    }

    /// Whether the engine has said of every container with whom it shares.
    pub(super) fn knows_all_sharers(&self) -> bool {
        #[cfg(test)]
        if super::mistakes::is_made(super::mistakes::Mistake::ForgetsSharers) {
            return true;
        }
        lock(&self.containers).awaited.is_empty()
    }

    /// The container is gone for good.
    pub(super) fn forget(&self, id: ContainerId) {
        lock(&self.containers).forget(id);
    }

    /// Whose network namespace a container shares, if anybody's.
    ///
    /// # Errors
    /// When the container is not known.
    pub(super) fn owner(&self, id: ContainerId) -> Result<Option<ContainerId>, NotKnown> {
        let containers = lock(&self.containers);
        containers.by_id.get(&id).map(|_| containers.owner(id)).ok_or(NotKnown)
    }

    /// Everyone who was created to share a container's network namespace, also by way of another sharer.
    pub(super) fn sharers(&self, id: ContainerId) -> BTreeSet<ContainerId> {
        let containers = lock(&self.containers);
        let mut found = BTreeSet::new();
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            for sharer in containers.sharers.get(&id).into_iter().flatten() {
                if found.insert(*sharer) {
                    open.push(*sharer);
                }
            }
        }
        found
    }

    /// These are all the containers there are, and all the images they have; those that were `awaited` before are among them, or gone.
    pub(super) fn replace(
        &self,
        mut containers: Containers,
        images: &BTreeSet<String>,
        awaited: &BTreeSet<ContainerId>,
    ) {
        lock(&self.images).retain(|image, _| images.contains(image));
        let mut known = lock(&self.containers);
        containers.awaited = known.awaited.difference(awaited).copied().collect();
        let old = std::mem::replace(&mut *known, containers);
        drop(known);
        drop(old);
    }

    /// The labels of an image, by its id.
    pub(super) fn image(&self, image: &str) -> Option<Arc<ImageLabels>> {
        lock(&self.images).get(image).cloned()
    }

    /// Notes the labels of an image.
    pub(super) fn remember_image(&self, image: &str, labels: Arc<ImageLabels>) {
        lock(&self.images).insert(image.to_owned(), labels);
    }

    /// What these labels give.
    pub(super) fn rights(&self, labels: &BTreeMap<String, String>, prefixes: &[String]) -> Rights {
        lock(&self.reader).rights(labels, prefixes)
    }
}

impl Containers {
    pub(super) fn remember(&mut self, container: Arc<Container>, shares_with: Option<ContainerId>) {
        let id = container.id;
        if let Some(owner) = shares_with {
            self.sharers.entry(owner).or_default().insert(id);
        }
        self.awaited.remove(&id);
        self.by_id.insert(id, container);
    }

    fn owner(&self, id: ContainerId) -> Option<ContainerId> {
        self.sharers.iter().find(|(_, sharers)| sharers.contains(&id)).map(|(owner, _)| *owner)
    }

    fn forget(&mut self, id: ContainerId) {
        self.awaited.remove(&id);
        self.by_id.remove(&id);
        self.sharers.remove(&id);
        self.sharers.retain(|_, sharers| {
            sharers.remove(&id);
            !sharers.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: &str) -> ContainerId {
        ContainerId::parse(&digit.repeat(64)).unwrap()
    }

    #[test]
    fn sharers_of_sharers_share_until_they_are_gone() {
        let known = Known::default();
        for (digit, owner) in [("a", None), ("b", Some("a")), ("c", Some("b")), ("d", None)] {
            let (id, name) = (id(digit), digit.to_owned());
            let container = Container { id, name, rights: Rights::Unlabelled };
            known.remember(Arc::new(container), owner.map(self::id));
        }
        assert_eq!(known.sharers(id("a")), BTreeSet::from([id("b"), id("c")]));
        assert_eq!(known.owner(id("c")), Ok(Some(id("b"))));
        assert_eq!((known.owner(id("d")), known.owner(id("e"))), (Ok(None), Err(NotKnown)));
        known.forget(id("c"));
        assert_eq!(known.sharers(id("a")), BTreeSet::from([id("b")]));
        assert!(known.container(id("c")).is_none() && known.container(id("b")).is_some());
    }

    #[test]
    fn what_was_created_is_awaited_until_it_is_known_or_gone() {
        let known = Known::default();
        for digit in ["a", "b", "c", "d"] {
            known.expect(id(digit));
        }
        let (name, rights) = ("a".to_owned(), Rights::Unlabelled);
        known.remember(Arc::new(Container { id: id("a"), name, rights }), None);
        known.expect(id("a"));
        known.forget(id("b"));
        known.expect_no_longer(id("c"));
        assert_eq!(known.awaited(), BTreeSet::from([id("d")]));
        let before = known.awaited();
        known.expect(id("e"));
        known.replace(Containers::default(), &BTreeSet::new(), &before);
        assert_eq!(known.awaited(), BTreeSet::from([id("e")]));
        assert!(!known.knows_all_sharers());
        known.forget(id("e"));
        assert!(known.knows_all_sharers());
    }
}
