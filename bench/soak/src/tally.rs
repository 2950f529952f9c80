//! What is counted.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters, shared by everybody.
#[derive(Default)]
pub(crate) struct Tally {
    /// Requests that were answered as they should be, refusals among them.
    pub(crate) requests: AtomicU64,
    /// Those among them that were rightly refused.
    pub(crate) refusals: AtomicU64,
    /// Streams and tunnels that were opened.
    pub(crate) streams: AtomicU64,
    /// Connections that a client broke off on purpose.
    pub(crate) aborts: AtomicU64,
    /// Answers that were cut or replaced by a 502 because the engine failed.
    pub(crate) cuts: AtomicU64,
    /// Connections and requests that were turned away because of a limit, as they should be.
    pub(crate) limited: AtomicU64,
    /// Bytes of bodies, both ways, each of them compared.
    pub(crate) bytes: AtomicU64,
    /// Restarts of the engine.
    pub(crate) restarts: AtomicU64,
    /// Events that the engine sent.
    pub(crate) events: AtomicU64,
    /// Requests that reached the engine and should not have.
    pub(crate) false_allows: AtomicU64,
    /// Requests that should have been answered by the engine and were not.
    pub(crate) false_refusals: AtomicU64,
    /// Answers with the wrong content: cut unseen, mixed up, or of the wrong kind.
    pub(crate) wrong_answers: AtomicU64,
    /// One more whenever the engine goes away and whenever it is back, so odd while it is away.
    pub(crate) engine_turns: AtomicU64,
    /// What was wrong, the first few times.
    complaints: Mutex<Vec<String>>,
}

/// Counts one more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl Tally {
    /// The engine's turn, to be compared with a later one.
    pub(crate) fn turn(&self) -> u64 {
        self.engine_turns.load(Ordering::SeqCst)
    }

    /// Whether the engine was away at any time since that turn.
    pub(crate) fn was_away_since(&self, turn: u64) -> bool {
        turn % 2 == 1 || self.turn() != turn
    }

    /// Counts something that should not be, and keeps the first few to be shown.
    pub(crate) fn complain(&self, counter: &AtomicU64, what: String) {
        const MOST: usize = 20;
        count(counter);
        let mut complaints =
            self.complaints.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if complaints.len() < MOST {
            eprintln!("soak: {what}");
            complaints.push(what);
        }
    }

    /// Whether everything was as it should be.
    pub(crate) fn is_clean(&self) -> bool {
        [&self.false_allows, &self.false_refusals, &self.wrong_answers]
            .into_iter()
            .all(|counter| read(counter) == 0)
    }
}
