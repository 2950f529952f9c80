//! How much clients may take.

use std::time::Duration;

/// What one client, and all of them together, may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest request head, in bytes: request line and fields together.
    pub head_bytes: usize,
    /// The most fields of a request head.
    pub head_fields: usize,
    /// How long a head may take from its first byte to its last.
    pub head_timeout: Duration,
    /// The longest body that is read to be judged, in bytes. Bodies that are only passed on have no limit.
    pub inspected_body_limit: usize,
    /// How long a body that is read to be judged may take to arrive.
    pub inspected_body_timeout: Duration,
    /// Connections at once.
    pub connections: usize,
    /// Connections at once of one client address.
    pub connections_per_client: usize,
    /// Streams at once of one client address: answers that go on for as long as somebody listens, and what leaves HTTP.
    pub streams_per_client: usize,
    /// Requests at once that wait until it is known which container asks. One client address gets a quarter of them.
    pub waiting: usize,
    /// How much the process may grow by, whatever clients do, in bytes.
    pub memory: usize,
}

impl Default for Limits {
    /// A test holds these against the defaults in the table.
    fn default() -> Self {
        Self {
            head_bytes: 64 * 1024,
            head_fields: 100,
            head_timeout: Duration::from_secs(10),
            inspected_body_limit: 4 * 1024 * 1024,
            inspected_body_timeout: Duration::from_secs(30),
            connections: 10_000,
            connections_per_client: 1000,
            streams_per_client: 900,
            waiting: 4000,
            memory: 96 * 1024 * 1024,
        }
    }
}
