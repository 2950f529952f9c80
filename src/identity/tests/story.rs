//! What happened in a simulation, for whoever has to find out why.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// What happened, and what must not have.
#[derive(Clone)]
pub(super) struct Story {
    began: Instant,
    told: Arc<Mutex<Told>>,
}

#[derive(Default)]
struct Told {
    lines: Vec<String>,
    has_gone_wrong: bool,
}

impl Story {
    pub(super) fn begin() -> Self {
        Self { began: Instant::now(), told: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many lines it has.
    pub(super) fn length(&self) -> usize {
        self.lock().lines.len()
    }

    pub(super) fn tell(&self, what: impl FnOnce() -> String) {
        let line = format!("{:>8} ms  {}", self.began.elapsed().as_millis(), what());
        self.lock().lines.push(line);
    }

    pub(super) fn go_wrong(&self, what: &str) {
        self.tell(|| format!("WRONG: {what}"));
        self.lock().has_gone_wrong = true;
    }

    /// All that was told, if something went wrong.
    pub(super) fn end(&self) -> Result<(), String> {
        let told = self.lock();
        if told.has_gone_wrong { Err(told.lines.join("\n")) } else { Ok(()) }
    }
}
