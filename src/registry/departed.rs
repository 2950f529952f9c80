//! Containers that were removed a short while ago and had created others. A program that replaces a container removes the old one first, and what it had
//! created should not stand still meanwhile.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

#[cfg(test)]
use super::mistakes::{Mistake, is_made};
use crate::client::{Container, ContainerId};
use crate::rule::labels::creator::Maker;

/// For how long a container that was removed still stands for what it created, unless another one takes its place.
pub(crate) const GRACE: Duration = Duration::from_mins(10);
/// How many of them are remembered; the oldest are forgotten first.
const MOST: usize = 256;

/// Those that were removed.
#[derive(Debug, Default)]
pub(super) struct Departed {
    /// The oldest first.
    all: Vec<One>,
    /// Whether one of them has got a successor.
    gave_way: bool,
}

#[derive(Debug)]
struct One {
    container: Arc<Container>,
    end: Instant,
}

impl Departed {
    /// One was removed.
    pub(super) fn add(&mut self, container: Arc<Container>, removed: Instant) {
        self.forget_ended();
        if self.all.len() >= MOST {
            self.all.remove(0);
        }
        #[cfg(test)]
        let removed =
            if is_made(Mistake::KeepsTheDeparted) { removed + GRACE * 1000 } else { removed };
        self.all.push(One { container, end: removed + GRACE });
    }

    /// When it was removed is known better now.
    pub(super) fn was_removed(&mut self, id: ContainerId, removed: Instant) {
        if let Some(one) = self.all.iter_mut().find(|one| one.container.id == id) {
            one.end = one.end.max(removed + GRACE);
        }
    }

    /// A new one takes the place of those that were called the same, whatever it may do itself.
    pub(super) fn succeed(&mut self, new: &Container) {
        #[cfg(test)]
        if is_made(Mistake::IgnoresSuccessors) {
            return;
        }
        let is_successor = |old: &Container| {
            let service = old.lineage.service.clone().map(Maker::Service);
            let names = [Some(Maker::Name(old.name.clone())), service];
            names.iter().flatten().any(|maker| new.answers_to(maker))
        };
        let before = self.all.len();
        self.all.retain(|one| one.container.id != new.id && !is_successor(&one.container));
        self.gave_way |= self.all.len() < before;
    }

    /// Whether one of them has got a successor since this was asked.
    pub(super) fn has_given_way(&mut self) -> bool {
        std::mem::take(&mut self.gave_way)
    }

    /// Those that still stand for this maker.
    pub(super) fn answering(&self, maker: &Maker) -> impl Iterator<Item = Arc<Container>> {
        let now = Instant::now();
        let stands = move |one: &&One| one.end > now && one.container.answers_to(maker);
        self.all.iter().filter(stands).map(|one| Arc::clone(&one.container))
    }

    /// Whether this one still stands for what it created.
    pub(super) fn has(&mut self, id: ContainerId) -> bool {
        self.forget_ended();
        self.all.iter().any(|one| one.container.id == id)
    }

    /// Until when this one does.
    pub(super) fn end(&self, id: ContainerId) -> Option<Instant> {
        self.all.iter().find(|one| one.container.id == id).map(|one| one.end)
    }

    /// When the first of them no longer does.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.all.iter().map(|one| one.end).min()
    }

    /// Those whose time is over are forgotten.
    pub(super) fn forget_ended(&mut self) {
        let now = Instant::now();
        self.all.retain(|one| one.end > now);
    }
}
