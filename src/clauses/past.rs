//! What a client that replaces containers (`recreate`) took down and made, as the judge is told of it and as the judge tells of it.
//!
//! Nothing here knows the time: for how long something is remembered is the business of those who remember it.

use std::sync::Arc;

use crate::request::Operation;
use crate::request::json::Json;
use crate::rule::words::{Step, Uses, uses};

/// The length of the ids that people are shown, and that Compose puts in front of a temporary name.
const SHORT_ID: usize = 12;

/// A container as it was before it was taken down.
#[derive(Debug, Clone)]
pub struct Remembered {
    /// Its full id.
    pub id: String,
    /// Its name, without the slash.
    pub name: String,
    /// What the engine said of it.
    pub inspect: Arc<Json>,
    /// What the engine said of its image, if it has it.
    pub image: Option<Arc<Json>>,
}

impl Remembered {
    /// The container that was inspected; `None` if that says not which.
    pub fn of(inspect: &Arc<Json>, image: Option<&Arc<Json>>) -> Option<Self> {
        let text = |name: &str| inspect.field(name).and_then(Json::as_str).unwrap_or_default();
        let (id, name) = (text("Id"), text("Name").trim_start_matches('/'));
        (!id.is_empty() && !name.is_empty()).then(|| Self {
            id: id.to_owned(),
            name: name.to_owned(),
            inspect: Arc::clone(inspect),
            image: image.cloned(),
        })
    }

    /// The beginning of its id that stands for it.
    pub fn short_id(&self) -> &str {
        self.id.get(..SHORT_ID).unwrap_or(&self.id)
    }

    /// Whether a new container may be created under this name: its own, or the one that Compose gives until the old one is gone.
    pub fn may_be_called(&self, name: &str) -> bool {
        let temporary = name.split_once('_');
        name == self.name
            || temporary.is_some_and(|(id, rest)| id == self.short_id() && rest == self.name)
    }

    /// Whether both were described alike, apart from their networks.
    pub fn is_set_up_like(&self, other: &Self) -> bool {
        let part = |of: &Self, name: &str| of.inspect.field(name).cloned();
        ["Config", "HostConfig"].into_iter().all(|name| part(self, name) == part(other, name))
    }
}

/// A container that a client made in place of another.
#[derive(Debug, Clone)]
pub struct Made {
    /// Its full id.
    pub id: String,
    /// The names it may have in the end: of those that it equals.
    pub names: Arc<[String]>,
    /// What it was made in place of.
    pub of: Arc<Remembered>,
}

/// A container that a client took down.
#[derive(Debug, Clone)]
pub struct TakenDown {
    /// What it was.
    pub old: Arc<Remembered>,
    /// Whether it was removed or made room, and not only stopped.
    pub must: bool,
    /// Whether something was made in its place already.
    pub is_replaced: bool,
}

/// What one client took down and made, as far as that is remembered.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// What was taken down, the oldest first.
    pub taken_down: Vec<TakenDown>,
    /// What was made.
    pub made: Vec<Made>,
}

/// Whether what a client took down and made matters to this operation: it is a step of a replacement, or may give an image a name that what
/// comes back uses.
pub fn needs_past(operation: Operation) -> bool {
    Step::of(operation).is_some() || uses(operation) != Uses::No
}

impl Past {
    /// What was remembered of the container with this id.
    pub fn of(&self, id: &str) -> Option<&TakenDown> {
        self.taken_down.iter().find(|it| it.old.id == id)
    }

    /// The container with this id, if it was made in place of another.
    pub fn made(&self, id: &str) -> Option<&Made> {
        self.made.iter().find(|made| made.id == id)
    }
}

/// What has to be remembered before a request is sent.
#[derive(Debug, Clone)]
pub enum Effect {
    /// It takes this down, or may.
    TakesDown {
        /// What is taken down.
        old: Arc<Remembered>,
        /// Whether it must be remembered for the request to be sent.
        must: bool,
    },
    /// It makes a container in place of this one, which serves no other then.
    Replaces {
        /// What is replaced.
        old: Arc<Remembered>,
        /// The names that the new one may have.
        names: Arc<[String]>,
    },
}
