//! Questions whose answer must be newer than the moment of asking, shared by everyone who asks at once.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// One question that many may have at the same time.
///
// INVARIANT: at most one query runs, and at most one more is waited for: whoever asks while one runs is served by the next.
#[derive(Debug)]
pub(super) struct Fresh<T> {
    state: Mutex<State<T>>,
    changed: Notify,
}

#[derive(Debug)]
struct State<T> {
    begun: u64,
    finished: u64,
    running: bool,
    answer: Option<T>,
}

impl<T> Default for Fresh<T> {
    fn default() -> Self {
        let state = State { begun: 0, finished: 0, running: false, answer: None };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }
}

impl<T: Clone> Fresh<T> {
    /// The answer of a query that began after this was called.
    pub(super) async fn get<Q: Future<Output = T>>(&self, query: impl Fn() -> Q) -> T {
        let needed = self.lock().begun + 1;
        loop {
            let changed = self.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            if let Some(turn) = {
                let mut state = self.lock();
                if state.finished >= needed
                    && let Some(answer) = &state.answer
                {
                    return answer.clone();
                }
                let free = !state.running;
                free.then(|| {
                    state.running = true;
                    state.begun += 1;
                    Turn { fresh: self, number: state.begun }
                })
            } {
                let answer = query().await;
                turn.finish(answer.clone());
                return answer;
            }
            changed.await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to run the query; given back also when the asker goes away in the middle.
struct Turn<'a, T: Clone> {
    fresh: &'a Fresh<T>,
    number: u64,
}

impl<T: Clone> Turn<'_, T> {
    fn finish(self, answer: T) {
        let mut state = self.fresh.lock();
        state.finished = self.number;
        state.answer = Some(answer);
    }
}

impl<T: Clone> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        self.fresh.lock().running = false;
        self.fresh.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_storm_costs_two_queries_and_every_answer_is_newer_than_its_question() {
        let fresh = Arc::new(Fresh::<u64>::default());
        let queries = Arc::new(AtomicU64::new(0));
        let gate = Arc::new(tokio::sync::Semaphore::new(0));
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let (fresh, queries, gate) =
                (Arc::clone(&fresh), Arc::clone(&queries), Arc::clone(&gate));
            asking.spawn(async move {
                let before = queries.load(Ordering::SeqCst);
                let answer = fresh
                    .get(|| async {
                        let number = queries.fetch_add(1, Ordering::SeqCst) + 1;
                        gate.acquire().await.unwrap().forget();
                        number
                    })
                    .await;
                assert!(
                    answer > before,
                    "an answer of query {answer} for a question asked after query {before}"
                );
            });
        }
        while queries.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(10);
        while let Some(result) = asking.join_next().await {
            result.unwrap();
        }
        assert_eq!(queries.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn an_asker_that_goes_away_leaves_its_turn() {
        let fresh = Fresh::<u64>::default();
        let asked = fresh.get(std::future::pending);
        assert!(tokio::time::timeout(std::time::Duration::from_millis(1), asked).await.is_err());
        assert_eq!(fresh.get(|| async { 7 }).await, 7);
    }
}
