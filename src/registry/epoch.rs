//! Whether the engine's events are followed, and which unbroken stretch of them our knowledge rests on.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// What we know may be old.
const STALE: u64 = 0;

/// The stretch of events that is followed now.
#[derive(Debug, Default)]
pub(super) struct Epoch {
    current: AtomicU64,
    /// How often containers came, went or got another name, as far as events tell.
    census: AtomicU64,
    /// Something happened: whoever waits for an unknown address may look again.
    news: Notify,
}

/// A moment in one stretch of events, or in none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch(u64);

impl Stretch {
    /// The time before the first one.
    pub(super) const NONE: Self = Self(STALE);

    /// The one after this.
    pub(super) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl Epoch {
    /// The stretch that is followed now.
    pub(super) fn now(&self) -> Stretch {
        Stretch(self.current.load(Ordering::SeqCst))
    }

    /// Whether events are followed right now.
    pub(super) fn is_fresh(&self) -> bool {
        self.now() != Stretch::NONE
    }

    /// Whether events have been followed without a break since that moment.
    pub(super) fn holds(&self, since: Stretch) -> bool {
        #[cfg(test)]
        if super::mistakes::is_made(super::mistakes::Mistake::BelievesAcrossBreaks) {
            return since != Stretch::NONE;
        }
        since != Stretch::NONE && since == self.now()
    }

    /// A stretch begins.
    pub(super) fn begin(&self, stretch: Stretch) {
        self.current.store(stretch.0, Ordering::SeqCst);
    }

    /// The stretch is over: events may have been lost. Says whether there was one.
    pub(super) fn end(&self) -> bool {
        self.current.swap(STALE, Ordering::SeqCst) != STALE
    }

    /// A mark that changes when a container comes, goes or gets another name.
    pub(super) fn census(&self) -> u64 {
        self.census.load(Ordering::SeqCst)
    }

    /// A container came, went or got another name.
    pub(super) fn count_anew(&self) {
        self.census.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits for the next piece of news.
    pub(super) fn news(&self) -> Notified<'_> {
        self.news.notified()
    }

    /// Something happened.
    pub(super) fn tell(&self) {
        self.news.notify_waiters();
    }
}
