//! What is remembered of containers and images: only what cannot change under their full id. Nothing in here asks the engine.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock};

use tokio::time::Instant;

use super::departed::Departed;
use super::shared::lock;
use crate::client::{Container, ContainerId, MadeBy, Step};
use crate::rule::labels::creator::{Creator, Maker};
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
    /// Whether each is a step of a build, as far as that was asked.
    steps: HashMap<ContainerId, Step>,
    /// Those that created others and were removed a short while ago.
    departed: Departed,
    /// Whose names nobody may take, found out when first needed.
    makers: OnceLock<Arc<BTreeSet<Maker>>>,
    /// Those that were said to have been created, and that nothing else is known of yet: each may share with anybody.
    awaited: BTreeSet<ContainerId>,
    /// Those that were said to have another name, which the engine has yet to tell.
    renamed: BTreeSet<ContainerId>,
    /// When the last list of all was asked for.
    listed: Option<Instant>,
}

/// Nobody asked about it yet, or it is gone.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotKnown;

impl Known {
    /// The container with this id, if its name is known too.
    pub(super) fn container(&self, id: ContainerId) -> Option<Arc<Container>> {
        let containers = lock(&self.containers);
        containers.by_id.get(&id).filter(|_| !containers.renamed.contains(&id)).cloned()
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

    /// The container has another name now, and the engine has to be asked for it.
    pub(super) fn forget_name(&self, id: ContainerId) {
        lock(&self.containers).renamed.insert(id);
    }

    /// The container was removed just now.
    pub(super) fn forget(&self, id: ContainerId) {
        let mut containers = lock(&self.containers);
        containers.depart(vec![id], Instant::now());
        containers.forget(id);
    }

    /// Whether somebody who created others is still who stands in their labels, or was removed so short a while ago that it counts.
    pub(super) fn still_stands(&self, creator: &Container) -> bool {
        let mut containers = lock(&self.containers);
        let known = containers.by_id.get(&creator.id);
        let is_here = known.is_some_and(|known| {
            known.name == creator.name && !containers.renamed.contains(&creator.id)
        });
        is_here || containers.departed.has(creator.id)
    }

    /// When the first of those that were removed counts no longer.
    pub(super) fn next_end(&self) -> Option<Instant> {
        lock(&self.containers).departed.next_end()
    }

    /// Until when somebody who created others stands for them, if that has an end by now.
    pub(super) fn end(&self, creator: &Container) -> Option<Instant> {
        let containers = lock(&self.containers);
        let is_here = containers.by_id.contains_key(&creator.id);
        (!is_here).then(|| containers.departed.end(creator.id).unwrap_or_else(Instant::now))
    }

    /// Whether one that was removed has got a successor since this was asked.
    pub(super) fn has_given_way(&self) -> bool {
        lock(&self.containers).departed.has_given_way()
    }

    /// Some of those that were removed count no longer.
    pub(super) fn forget_departed(&self) {
        lock(&self.containers).departed.forget_ended();
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

    /// The containers whose names the engine has yet to tell.
    pub(super) fn renamed(&self) -> BTreeSet<ContainerId> {
        lock(&self.containers).renamed.clone()
    }

    /// These are all the containers there are, and all the images they have, asked for at this moment; those that were `awaited` or `renamed`
    /// before are among them, or gone.
    pub(super) fn replace(
        &self,
        mut containers: Containers,
        asked: Instant,
        images: &BTreeSet<String>,
        awaited: &BTreeSet<ContainerId>,
        renamed: &BTreeSet<ContainerId>,
    ) {
        lock(&self.images).retain(|image, _| images.contains(image));
        let mut known = lock(&self.containers);
        containers.awaited = known.awaited.difference(awaited).copied().collect();
        containers.renamed = known.renamed.difference(renamed).copied().collect();
        // When those were removed that are not there any more nobody knows, but they were there the last time.
        let gone = known.by_id.keys().filter(|id| !containers.by_id.contains_key(id)).copied();
        let gone = gone.collect();
        if let Some(listed) = known.listed {
            known.depart(gone, listed);
        }
        containers.listed = Some(asked);
        containers.departed = std::mem::take(&mut known.departed);
        for container in containers.by_id.values() {
            let before = known.by_id.get(&container.id);
            if before.is_none_or(|before| before.name != container.name) {
                containers.departed.succeed(container);
            }
        }
        containers.steps = std::mem::take(&mut known.steps);
        let by_id = &containers.by_id;
        containers.steps.retain(|id, _| by_id.contains_key(id));
        let old = std::mem::replace(&mut *known, containers);
        drop(known);
        drop(old);
    }

    /// Whether a container is a step of a build, as far as that is known.
    pub(super) fn step(&self, container: &Container) -> Step {
        lock(&self.containers).step(container)
    }

    /// The engine said whether this is a step of a build.
    pub(super) fn remember_step(&self, id: ContainerId, step: Step) {
        let mut containers = lock(&self.containers);
        containers.steps.insert(id, step);
        containers.makers = OnceLock::new();
    }

    /// The containers that answer to one of these names, if they are no steps of builds.
    pub(super) fn may_have_made(&self, creator: &Creator) -> Vec<Arc<Container>> {
        let containers = lock(&self.containers);
        let unclear = containers.by_id.values().filter(|it| {
            containers.step(it) == Step::Unclear
                && creator.makers().iter().any(|maker| it.answers_to(maker))
        });
        unclear.cloned().collect()
    }

    /// Who created something, as they are now: every container that answers to one of these names, or if there is none, those that did and
    /// were removed a short while ago. One that may be a step of a build does not.
    pub(super) fn made_by(&self, creator: &Creator) -> Box<[MadeBy]> {
        let containers = lock(&self.containers);
        let mut all = Vec::new();
        for maker in creator.makers() {
            if matches!(maker, Maker::User(_) | Maker::Address(_)) {
                all.push(MadeBy::Peer(maker.clone()));
                continue;
            }
            let before = all.len();
            let answers =
                |it: &&Arc<Container>| it.answers_to(maker) && containers.step(it) == Step::No;
            let answering = containers.by_id.values().filter(answers);
            all.extend(answering.map(|it| MadeBy::Container(Arc::clone(it))));
            #[cfg(test)]
            if super::mistakes::is_made(super::mistakes::Mistake::IgnoresSuccessors) {
                all.extend(containers.departed.answering(maker).map(MadeBy::Container));
            }
            if all.len() == before {
                all.extend(containers.departed.answering(maker).map(MadeBy::Container));
            }
            if all.len() == before {
                all.push(MadeBy::Gone(maker.clone()));
            }
        }
        if all.is_empty() {
            all.push(MadeBy::Unreadable);
        }
        all.into()
    }

    /// Whose names nobody may take: of those who created a container that exists, and of services with rights of their own.
    pub(super) fn makers(&self) -> Arc<BTreeSet<Maker>> {
        let containers = lock(&self.containers);
        Arc::clone(containers.makers.get_or_init(|| Arc::new(containers.find_makers())))
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
    fn step(&self, container: &Container) -> Step {
        match container.lineage.step {
            Step::Unclear => self.steps.get(&container.id).copied().unwrap_or(Step::Unclear),
            known => known,
        }
    }

    pub(super) fn remember(&mut self, container: Arc<Container>, shares_with: Option<ContainerId>) {
        let id = container.id;
        if let Some(owner) = shares_with {
            self.sharers.entry(owner).or_default().insert(id);
        }
        self.awaited.remove(&id);
        self.renamed.remove(&id);
        if self.by_id.get(&id).is_none_or(|before| before.name != container.name) {
            self.departed.succeed(&container);
        }
        self.by_id.insert(id, container);
        self.makers = OnceLock::new();
    }

    fn find_makers(&self) -> BTreeSet<Maker> {
        // What stands in labels of a build's step was written by the author of the Dockerfile.
        let containers = self.by_id.values().filter(|it| self.step(it) != Step::Yes);
        let creators = containers.clone().filter_map(|it| it.lineage.creator.as_ref());
        let labelled = containers.filter(|it| !matches!(it.rights, Rights::Unlabelled));
        let services = labelled.filter_map(|it| it.lineage.service.clone().map(Maker::Service));
        creators.flat_map(|it| it.makers().iter().cloned()).chain(services).collect()
    }

    /// These were removed at this moment, or later: they count for a while if others say that they created them.
    fn depart(&mut self, ids: Vec<ContainerId>, removed: Instant) {
        let creators = self.by_id.values().filter_map(|it| it.lineage.creator.as_ref());
        let makers: BTreeSet<Maker> = creators.flat_map(|it| it.makers().iter().cloned()).collect();
        for id in ids {
            let Some(container) = self.by_id.get(&id) else {
                self.departed.was_removed(id, removed);
                continue;
            };
            let is_told = !self.renamed.contains(&id) && self.step(container) == Step::No;
            let has_created = || makers.iter().any(|maker| container.answers_to(maker));
            if is_told && has_created() {
                self.departed.add(Arc::clone(container), removed);
            }
        }
    }

    fn owner(&self, id: ContainerId) -> Option<ContainerId> {
        self.sharers.iter().find(|(_, sharers)| sharers.contains(&id)).map(|(owner, _)| *owner)
    }

    fn forget(&mut self, id: ContainerId) {
        self.awaited.remove(&id);
        self.renamed.remove(&id);
        self.steps.remove(&id);
        self.by_id.remove(&id);
        self.makers = OnceLock::new();
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
    use crate::client::Lineage;
    use crate::rule::labels::creator::Service;

    fn id(digit: &str) -> ContainerId {
        ContainerId::parse(&digit.repeat(64)).unwrap()
    }

    #[test]
    fn sharers_of_sharers_share_until_they_are_gone() {
        let known = Known::default();
        for (digit, owner) in [("a", None), ("b", Some("a")), ("c", Some("b")), ("d", None)] {
            let (id, name) = (id(digit), digit.to_owned());
            let lineage = Lineage::default();
            let container = Container { id, name, rights: Rights::Unlabelled, lineage };
            known.remember(Arc::new(container), owner.map(self::id));
        }
        assert_eq!(known.sharers(id("a")), BTreeSet::from([id("b"), id("c")]));
        assert_eq!(known.owner(id("c")), Ok(Some(id("b"))));
        assert_eq!((known.owner(id("d")), known.owner(id("e"))), (Ok(None), Err(NotKnown)));
        known.forget(id("c"));
        assert_eq!(known.sharers(id("a")), BTreeSet::from([id("b")]));
        assert!(known.container(id("c")).is_none() && known.container(id("b")).is_some());
    }

    fn made(digit: &str, name: &str, rights: Rights, labels: (&str, &str)) -> Arc<Container> {
        let (creator, service) = labels;
        let creator = (!creator.is_empty()).then(|| Creator::parse(creator));
        let service = Service::new("web", service);
        let lineage = Lineage { creator, service, ..Lineage::default() };
        Arc::new(Container { id: id(digit), name: name.to_owned(), rights, lineage })
    }

    #[test]
    fn creators_are_who_has_their_names_now() {
        let known = Known::default();
        let told = |creator: &str| -> Vec<String> {
            let all = known.made_by(&Creator::parse(creator));
            let mut all: Vec<_> = all
                .iter()
                .map(|made_by| match made_by {
                    MadeBy::Container(container) => container.name.clone(),
                    other => format!("{other:?}"),
                })
                .collect();
            all.sort();
            all
        };
        let (plain, own) = (Rights::Unlabelled, Rights::Own(Arc::default()));
        known.remember(made("a", "one", own.clone(), ("", "ci")), None);
        known.remember(made("b", "two", plain.clone(), ("", "ci")), None);
        known.remember(made("c", "child", plain.clone(), ("service:web/ci", "ci")), None);
        // A child that has its creator's name is not its creator.
        known.remember(made("d", "odd", plain.clone(), ("name:odd", "")), None);
        assert_eq!(told("service:web/ci"), ["one", "two"]);
        assert_eq!(told("name:two,name:one"), ["one", "two"]);
        assert_eq!(told("name:child"), [r#"Gone(Name("child"))"#]);
        assert_eq!(told("name:odd"), [r#"Gone(Name("odd"))"#]);
        assert_eq!(told("name:one,name:gone"), [r#"Gone(Name("gone"))"#, "one"]);
        assert_eq!(told("user:5"), ["Peer(User(5))"]);
        assert_eq!(told("what:5"), ["Unreadable"]);
        // What stands in labels nobody may take, nor the service of one with rights of its own.
        let makers = || known.makers().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(makers(), ["service:web/ci", "name:odd"]);
        known.remember(made("e", "shop", own, ("", "shop")), None);
        known.remember(made("f", "quiet", plain, ("", "quiet")), None);
        assert_eq!(makers(), ["service:web/ci", "service:web/shop", "name:odd"]);
        known.forget(id("d"));
        assert_eq!(makers(), ["service:web/ci", "service:web/shop"]);
        known.forget(id("a"));
        assert_eq!(told("service:web/ci"), ["two"]);
    }

    #[test]
    fn a_name_is_forgotten_until_the_engine_tells_it() {
        let known = Known::default();
        let one = made("a", "one", Rights::Unlabelled, ("", ""));
        known.remember(Arc::clone(&one), None);
        known.forget_name(id("a"));
        assert!(known.container(id("a")).is_none());
        // A list that was asked for before says nothing new.
        let list = |renamed: &BTreeSet<ContainerId>| {
            let mut listed = Containers::default();
            listed.remember(Arc::clone(&one), None);
            known.replace(listed, Instant::now(), &BTreeSet::new(), &BTreeSet::new(), renamed);
        };
        list(&BTreeSet::new());
        assert!(known.container(id("a")).is_none());
        list(&known.renamed());
        assert!(known.container(id("a")).is_some());
    }

    #[test]
    fn what_was_created_is_awaited_until_it_is_known_or_gone() {
        let known = Known::default();
        for digit in ["a", "b", "c", "d"] {
            known.expect(id(digit));
        }
        let (name, rights) = ("a".to_owned(), Rights::Unlabelled);
        let lineage = Lineage::default();
        known.remember(Arc::new(Container { id: id("a"), name, rights, lineage }), None);
        known.expect(id("a"));
        known.forget(id("b"));
        known.expect_no_longer(id("c"));
        assert_eq!(known.awaited(), BTreeSet::from([id("d")]));
        let before = known.awaited();
        known.expect(id("e"));
        known.replace(
            Containers::default(),
            Instant::now(),
            &BTreeSet::new(),
            &before,
            &BTreeSet::new(),
        );
        assert_eq!(known.awaited(), BTreeSet::from([id("e")]));
        assert!(!known.knows_all_sharers());
        known.forget(id("e"));
        assert!(known.knows_all_sharers());
    }
}
