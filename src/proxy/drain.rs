//! What a stop waits for, and how far it has got.

use tokio::sync::watch;

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

/// Knows of the requests that end by themselves: a stop waits for those. Each holds a receiver, and nothing is ever sent.
#[derive(Debug)]
pub(super) struct Finite(watch::Sender<()>);

impl Default for Finite {
    fn default() -> Self {
        Self(watch::Sender::new(()))
    }
}

impl Finite {
    /// Counts a request in until the value is dropped; `None` for a stream.
    pub(super) fn enter(&self, answer: AnswerKind) -> Option<watch::Receiver<()>> {
        (answer == AnswerKind::Plain).then(|| self.0.subscribe())
    }

    /// Waits until none runs.
    pub(super) async fn none_left(&self) {
        self.0.closed().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stop_waits_for_what_ends_by_itself() {
        let finite = Finite::default();
        finite.none_left().await;
        let running = [finite.enter(AnswerKind::Plain), finite.enter(AnswerKind::Plain)];
        let stream = finite.enter(AnswerKind::Endless);
        assert!(stream.is_none());
        for running in running {
            assert!(timeout(Duration::from_secs(9), finite.none_left()).await.is_err());
            drop(running.unwrap());
        }
        finite.none_left().await;
        // A request may begin on a connection that was kept.
        let late = finite.enter(AnswerKind::Plain);
        assert!(timeout(Duration::from_secs(9), finite.none_left()).await.is_err());
        drop(late);
        finite.none_left().await;
    }
}
