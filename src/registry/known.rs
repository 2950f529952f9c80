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

    /// These are all the containers there are, and all the images they have.
    pub(super) fn replace(&self, containers: Containers, images: &BTreeSet<String>) {
        lock(&self.images).retain(|image, _| images.contains(image));
        let old = std::mem::replace(&mut *lock(&self.containers), containers);
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
        self.by_id.insert(id, container);
    }

    fn owner(&self, id: ContainerId) -> Option<ContainerId> {
        self.sharers.iter().find(|(_, sharers)| sharers.contains(&id)).map(|(owner, _)| *owner)
    }

    fn forget(&mut self, id: ContainerId) {
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
}
