//! What a stop waits for, and how far it has got.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::request::AnswerKind;

/// How far a stop has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Nobody asked for one.
    Running,
    /// No new connections and requests; what runs may finish.
    Draining,
    /// Everything closes now.
    Closing,
}

/// Counts the requests that end by themselves: a stop waits for those.
#[derive(Debug, Default)]
pub(super) struct Finite(Arc<FiniteState>);

#[derive(Debug, Default)]
struct FiniteState {
    running: AtomicUsize,
    left: Notify,
}

impl Finite {
    /// Counts a request in until the value is dropped; `None` for a stream.
    pub(super) fn enter(&self, answer: AnswerKind) -> Option<Running> {
        (answer == AnswerKind::Plain).then(|| {
            self.0.running.fetch_add(1, Ordering::SeqCst);
            Running(Arc::clone(&self.0))
        })
    }

    /// Waits until none runs.
    pub(super) async fn none_left(&self) {
        loop {
            let left = self.0.left.notified();
            let mut left = pin!(left);
            left.as_mut().enable();
            if self.0.running.load(Ordering::SeqCst) == 0 {
                return;
            }
            left.await;
        }
    }
}

/// A request that runs.
#[derive(Debug)]
pub(super) struct Running(Arc<FiniteState>);

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.left.notify_waiters();
        }
    }
}
