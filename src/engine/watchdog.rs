//! How the engine is watched.

use std::time::Duration;

/// How the engine is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watchdog {
    /// The time between two checks.
    pub interval: Duration,
    /// Whether the proxy ends when a check fails.
    pub stop: bool,
}
