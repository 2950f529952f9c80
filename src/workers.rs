//! The threads that serve connections.
//!
//! Each has a runtime of its own and a connection stays on its thread for life. A runtime that shares its tasks among threads wakes one of
//! them for nearly every message, which costs more than what the message is about; docs/performance.md has the figures.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Threads for blocking calls, which here are name look-ups only.
const BLOCKING_THREADS: usize = 32;

/// The thread that calls, and as many more as were started.
#[derive(Debug)]
pub struct Workers {
    /// How busy the calling thread is.
    here: Arc<()>,
    others: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    runtime: Handle,
    busy: Arc<()>,
    /// Gone when the thread was told to stop.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Where a connection is served; counts as long as it lives.
#[derive(Debug)]
pub struct Placement {
    /// The runtime of another thread; `None` for the one that calls.
    pub runtime: Option<Handle>,
    /// What is held while it is in use.
    pub busy: Arc<()>,
}

/// A runtime for one thread.
///
/// # Errors
/// When the kernel has no descriptor for it.
pub fn runtime() -> io::Result<tokio::runtime::Runtime> {
    Builder::new_current_thread().max_blocking_threads(BLOCKING_THREADS).enable_all().build()
}

impl Workers {
    /// Starts all but the first of so many threads.
    ///
    /// # Errors
    /// When the kernel has no more of them.
    pub fn start(count: usize) -> io::Result<Self> {
        let others = (1..count).map(|_| Worker::start()).collect::<io::Result<_>>()?;
        Ok(Self { here: Arc::default(), others })
    }

    /// Chooses the thread with the fewest connections, and the calling one if no other has fewer, because to move costs.
    pub fn place(&self) -> Placement {
        let others = self.others.iter().map(|worker| (Some(&worker.runtime), &worker.busy));
        let here = (None, &self.here);
        let all = std::iter::once(here).chain(others);
        let (runtime, busy) = all.min_by_key(|(_, busy)| Arc::strong_count(busy)).unwrap_or(here);
        Placement { runtime: runtime.cloned(), busy: Arc::clone(busy) }
    }

    /// How many tasks run on the other threads.
    pub fn tasks(&self) -> usize {
        self.others.iter().map(|worker| worker.runtime.metrics().num_alive_tasks()).sum()
    }
}

impl Worker {
    fn start() -> io::Result<Self> {
        let runtime = runtime()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("worker".to_owned()).spawn(move || {
            let _ = runtime.block_on(stopped);
            // A name look-up that hangs must not hold the exit.
            runtime.shutdown_background();
        })?;
        Ok(Self { runtime: handle, busy: Arc::default(), stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn desks_are_taken_evenly_and_given_back() {
        let workers = Workers::start(3).unwrap();
        let mut taken: Vec<Placement> = (0..9).map(|_| workers.place()).collect();
        let count = |taken: &[Placement], thread: Option<&Handle>| {
            let id = thread.map(Handle::id);
            taken
                .iter()
                .filter(|placement| placement.runtime.as_ref().map(Handle::id) == id)
                .count()
        };
        assert_eq!(count(&taken, None), 3);
        for worker in &workers.others {
            assert_eq!(count(&taken, Some(&worker.runtime)), 3);
        }
        taken.retain(|placement| placement.runtime.is_some());
        taken.extend((0..3).map(|_| workers.place()));
        assert_eq!(count(&taken, None), 3);
    }

    #[test]
    fn tasks_run_on_the_thread_and_end_with_it() {
        let workers = Workers::start(2).unwrap();
        let (alive, ended) = oneshot::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let here = workers.place();
        assert!(here.runtime.is_none());
        let elsewhere = workers.place();
        let _held = elsewhere.runtime.unwrap().spawn(async move {
            tell.send(std::thread::current().name().map(str::to_owned)).unwrap();
            std::future::pending::<()>().await;
            drop(alive);
        });
        assert_eq!(told.recv().unwrap().as_deref(), Some("worker"));
        assert_eq!(workers.tasks(), 1);
        drop(workers);
        assert!(ended.blocking_recv().is_err());
    }
}
