//! Waiting for conditions in other processes, which nobody announces to us.

use std::time::{Duration, Instant};

/// How long anything may take that is expected to happen.
pub const DEADLINE: Duration = Duration::from_secs(60);
const BETWEEN_PROBES: Duration = Duration::from_millis(10);

/// Probes until there is an answer.
///
/// # Panics
/// When `what` has not happened by the deadline.
#[track_caller]
pub fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {} s in vain: {what}", DEADLINE.as_secs());
        std::thread::sleep(BETWEEN_PROBES);
    }
}
