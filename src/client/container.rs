//! A container: its id, what its labels give, and who created it, as of one look at the engine.

use std::fmt;
use std::sync::Arc;

use crate::rule::Allowlist;
use crate::rule::labels::creator::{Creator, Maker, Service};
use crate::rule::labels::{LabelError, Rights};
use crate::text::escaped;

/// A container as far as judging needs it. Its labels never change, so neither do its rights.
#[derive(Debug)]
pub struct Container {
    /// Its id.
    pub id: ContainerId,
    /// Its name, without the leading slash.
    pub name: String,
    /// What its labels say.
    pub rights: Rights,
    /// Where it comes from.
    pub lineage: Lineage,
}

impl Container {
    /// The same, with this said of where it comes from.
    #[must_use]
    pub fn with_lineage(&self, lineage: Lineage) -> Self {
        Self { id: self.id, name: self.name.clone(), rights: self.rights.clone(), lineage }
    }

    /// By which list it is judged first.
    fn standing(&self) -> Standing<'_> {
        match &self.rights {
            _ if self.lineage.step != Step::No => Standing::Step(self),
            Rights::Unlabelled => Standing::Default,
            Rights::Own(list) => Standing::Own(list),
            Rights::Broken(errors) => Standing::Broken(errors),
        }
    }

    /// Whether no label of its own says what it may do.
    pub fn is_unlabelled(&self) -> bool {
        matches!(self.rights, Rights::Unlabelled)
    }
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escaped(&self.name))
    }
}

/// A container's full id, 64 hexadecimal digits; nothing can shadow it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerId([u8; 32]);

impl ContainerId {
    /// Reads a full id.
    pub fn parse(text: &str) -> Option<Self> {
        let mut id = [0; 32];
        let mut digits = text.chars();
        for byte in &mut id {
            let high = lower_hex(digits.next()?)?;
            let low = lower_hex(digits.next()?)?;
            *byte = u8::try_from(high * 16 + low).ok()?;
        }
        digits.next().is_none().then_some(Self(id))
    }

    /// The twelve digits that people read.
    pub fn short(&self) -> String {
        self.to_string().chars().take(12).collect()
    }
}

fn lower_hex(digit: char) -> Option<u32> {
    digit.to_digit(16).filter(|_| !digit.is_ascii_uppercase())
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// By which list somebody is judged.
#[derive(Debug, Clone)]
pub enum Standing<'a> {
    /// By the default allowlist, if the peer is admitted.
    Default,
    /// By the list that its own labels give.
    Own(&'a Arc<Allowlist>),
    /// By none: its labels are wrong.
    Broken(&'a Arc<[LabelError]>),
    /// By none: it might be a container, and nobody can say which.
    Unknown(&'a WhyUnknown),
    /// By the list of the client that created it.
    Creator(Parent<'a>),
    /// By none: something is wrong with the client that created it.
    Orphan(Bound),
    /// By none: a build made it, or may have.
    Step(&'a Container),
}

impl Standing<'_> {
    pub(super) fn is_by_default(&self) -> bool {
        matches!(self, Self::Default)
    }
}

/// Why nobody can say which container a peer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyUnknown {
    /// The engine knows no container with this address on this network, even after a while.
    NotFound,
    /// The engine does not answer, so what we knew may be old.
    Stale,
    /// The engine names several containers for the address.
    Ambiguous,
    /// It uses a link-local address, which no engine lists.
    LinkLocal,
}

impl fmt::Display for WhyUnknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "the engine knows no container with this address",
            Self::Stale => "the engine does not say whose address this is",
            Self::Ambiguous => "the engine names several containers for this address",
            Self::LinkLocal => "link-local addresses belong to nobody",
        })
    }
}

/// Where a container comes from, by labels that give no rights.
#[derive(Debug, Clone, Default)]
pub struct Lineage {
    /// Who created it through the proxy, by its label.
    pub creator: Option<Creator>,
    /// Those makers as they are now. As long as nobody looked there are none, and then it may do nothing.
    pub makers: Box<[MadeBy]>,
    /// Its Compose service, by its labels, those of its image among them.
    pub service: Option<Service>,
    /// Whether nothing of that comes from its image, as far as somebody looked.
    pub is_own_service: bool,
    /// The full id of its image, if the labels of that have to be looked at.
    pub image: String,
    /// Whether a build made it.
    pub step: Step,
}

/// Whether a container is what a build makes for one of its steps: then its labels are those that stand in a Dockerfile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Step {
    /// It is not.
    #[default]
    No,
    /// It may be, and nobody asked the engine yet.
    Unclear,
    /// It is.
    Yes,
}

/// One of those who created a container, as it is now.
#[derive(Debug, Clone)]
pub enum MadeBy {
    /// This container.
    Container(Arc<Container>),
    /// Not a container, and nobody asked yet whether it is admitted.
    Peer(Maker),
    /// Not a container, and it is admitted.
    Admitted(Maker),
    /// Not a container, and it is not admitted.
    Stranger(Maker),
    /// No container of this identity exists.
    Gone(Maker),
    /// The label cannot be read.
    Unreadable,
}

/// A creator whose own list limits what it created.
#[derive(Debug, Clone, Copy)]
pub struct Parent<'a> {
    child: &'a Container,
    container: &'a Container,
    list: &'a Arc<Allowlist>,
}

/// A container that may not do something because of its creator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The container.
    pub child: String,
    /// Who created it, as its label says.
    pub creator: String,
    /// What is the matter with that one.
    pub why: WhyBound,
}

/// What is the matter with a creator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyBound {
    /// It no longer exists.
    Gone,
    /// Nobody can say who it is.
    Unreadable,
    /// It is no container, and not admitted.
    NotAdmitted,
    /// This container's labels are wrong.
    Broken(String, Arc<[LabelError]>),
    /// This container may not do it either.
    MayNot(String),
}

impl<'a> Parent<'a> {
    /// By what it is judged.
    pub fn list(&self) -> &'a Arc<Allowlist> {
        self.list
    }

    /// Its child is refused what it may not do itself.
    pub fn may_not(&self) -> Bound {
        bound(self.child, WhyBound::MayNot(self.container.name.clone()))
    }
}

impl Lineage {
    /// Whether another client stands behind it.
    pub fn is_created(&self) -> bool {
        self.creator.is_some()
    }
}

impl Container {
    /// Whether it says nothing for itself, so that its creator stands for it.
    fn is_bound(&self) -> bool {
        self.is_unlabelled() && self.lineage.is_created()
    }

    /// Whether labels of what others created can mean it.
    pub fn answers_to(&self, maker: &Maker) -> bool {
        // One that is bound is never written as a creator: whoever stands behind it is.
        !self.is_bound()
            && match maker {
                Maker::Service(service) => self.lineage.service.as_ref() == Some(service),
                Maker::Name(name) => self.name == *name,
                Maker::User(_) | Maker::Address(_) => false,
            }
    }

    /// By what it is judged: its own list or the default one, and those of who created it. Labels of its own do not set it free: the one who
    /// wrote the creator down let no such labels pass, so they can only come from an image, whatever the engine shows of that now.
    pub fn standings(&self) -> impl Iterator<Item = Standing<'_>> {
        let is_created = self.lineage.is_created() && self.lineage.step == Step::No;
        let nobody_looked = (is_created && self.lineage.makers.is_empty())
            .then(|| Standing::Orphan(bound(self, WhyBound::Unreadable)));
        let makers: &[MadeBy] = if is_created { &self.lineage.makers } else { &[] };
        let limits = makers.iter().filter_map(|made_by| made_by.limit(self));
        std::iter::once(self.standing()).chain(nobody_looked).chain(limits)
    }

    /// As whom it is written on what it creates.
    pub(super) fn makers(&self) -> Vec<Maker> {
        // The root: what it creates must outlive it, and never have more than the client behind all of it.
        let mut makers: Vec<_> =
            self.lineage.creator.iter().flat_map(|it| it.makers().to_vec()).collect();
        if self.is_bound() || self.lineage.creator == Some(Creator::Unreadable) {
            return makers;
        }
        let service = self.lineage.service.clone().filter(|_| self.lineage.is_own_service);
        makers.push(service.map_or_else(|| Maker::Name(self.name.clone()), Maker::Service));
        makers
    }
}

impl MadeBy {
    /// What a container that it made may not do because of it; `None` if that is nothing that the default list allows and it is judged by
    /// that already.
    fn limit<'a>(&'a self, child: &'a Container) -> Option<Standing<'a>> {
        let default = || (!child.is_unlabelled()).then_some(Standing::Default);
        let why = match self {
            Self::Container(container) => match &container.rights {
                Rights::Unlabelled => return default(),
                Rights::Own(list) => {
                    return Some(Standing::Creator(Parent { child, container, list }));
                }
                Rights::Broken(errors) => {
                    WhyBound::Broken(container.name.clone(), Arc::clone(errors))
                }
            },
            Self::Admitted(_) => return default(),
            Self::Peer(_) | Self::Stranger(_) => WhyBound::NotAdmitted,
            Self::Gone(_) => WhyBound::Gone,
            Self::Unreadable => WhyBound::Unreadable,
        };
        let mut bound = bound(child, why);
        if let Self::Peer(maker) | Self::Stranger(maker) | Self::Gone(maker) = self {
            bound.creator = maker.to_string();
        }
        Some(Standing::Orphan(bound))
    }
}

fn bound(child: &Container, why: WhyBound) -> Bound {
    let creator = child.lineage.creator.as_ref().map(ToString::to_string).unwrap_or_default();
    Bound { child: child.name.clone(), creator, why }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn container(name: &str, rights: Rights, lineage: Lineage) -> Arc<Container> {
        let id = ContainerId::parse(&"a".repeat(64)).unwrap();
        Arc::new(Container { id, name: name.to_owned(), rights, lineage })
    }

    pub(crate) fn own() -> Rights {
        Rights::Own(Arc::default())
    }

    pub(crate) fn made_by(creator: &str) -> Lineage {
        Lineage { creator: Some(Creator::parse(creator)), ..Lineage::default() }
    }

    /// One that nobody looked at yet, as the registry remembers it, may do nothing.
    #[test]
    fn what_was_created_and_not_looked_at_has_no_rights() {
        let child = container("c", Rights::Unlabelled, made_by("name:a"));
        assert!(child.standings().any(|standing| matches!(standing, Standing::Orphan(_))));
        // Labels do not set it free.
        let labelled = container("c", own(), made_by("name:a"));
        assert!(labelled.standings().any(|standing| matches!(standing, Standing::Orphan(_))));
        let plain = container("c", Rights::Unlabelled, Lineage::default());
        assert_eq!(plain.standings().count(), 1);
    }

    #[test]
    fn labels_beside_a_creator_only_limit() {
        let standings = |rights: &Rights, made_by: MadeBy| {
            let lineage = Lineage { makers: [made_by].into(), ..self::made_by("name:a") };
            let child = container("c", rights.clone(), lineage);
            child.standings().map(|standing| format!("{standing:?}")).collect::<Vec<_>>()
        };
        let creator = |rights| MadeBy::Container(container("a", rights, Lineage::default()));
        let admitted = || MadeBy::Admitted(Maker::User(5));
        let check = |standings: &[String], want: &[&str]| {
            assert_eq!(standings.len(), want.len(), "{standings:?}");
            for (standing, want) in standings.iter().zip(want) {
                assert!(standing.starts_with(want), "{standing} {want}");
            }
        };
        check(&standings(&own(), creator(own())), &["Own", "Creator"]);
        check(&standings(&own(), creator(Rights::Unlabelled)), &["Own", "Default"]);
        check(&standings(&own(), admitted()), &["Own", "Default"]);
        check(&standings(&own(), MadeBy::Unreadable), &["Own", "Orphan"]);
        check(&standings(&Rights::Unlabelled, creator(own())), &["Default", "Creator"]);
        check(&standings(&Rights::Unlabelled, creator(Rights::Unlabelled)), &["Default"]);
        check(&standings(&Rights::Unlabelled, admitted()), &["Default"]);
    }

    #[test]
    fn what_a_build_made_has_no_rights() {
        for step in [Step::Yes, Step::Unclear] {
            for rights in [own(), Rights::Unlabelled] {
                for lineage in [made_by("name:a"), Lineage::default()] {
                    let step = container("c", rights.clone(), Lineage { step, ..lineage });
                    let standings: Vec<_> = step.standings().collect();
                    assert!(matches!(standings.as_slice(), [Standing::Step(_)]), "{standings:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_bound_stands_behind_nothing() {
        let name = Maker::Name("x".to_owned());
        assert!(container("x", Rights::Unlabelled, Lineage::default()).answers_to(&name));
        assert!(container("x", own(), made_by("name:a")).answers_to(&name));
        assert!(!container("x", Rights::Unlabelled, made_by("name:x")).answers_to(&name));
        assert!(!container("y", own(), Lineage::default()).answers_to(&name));
    }

    #[test]
    fn only_full_lower_case_ids_are_ids() {
        let id = "0123456789abcdef".repeat(4);
        assert_eq!(ContainerId::parse(&id).unwrap().to_string(), id);
        assert_eq!(ContainerId::parse(&id).unwrap().short(), "0123456789ab");
        for wrong in ["", "0123", &id.to_uppercase(), &format!("{id}0"), &"g".repeat(64)] {
            assert_eq!(ContainerId::parse(wrong), None);
        }
    }

    #[test]
    fn a_name_does_not_turn_a_line_round() {
        let id = ContainerId::parse(&"a".repeat(64)).unwrap();
        let name = "we\u{202e}b".to_owned();
        let lineage = Lineage::default();
        let container = Container { id, name, rights: Rights::Unlabelled, lineage };
        assert_eq!(container.to_string(), r"we\u{202e}b");
    }
}
