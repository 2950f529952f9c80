//! Which refusals are the same, for those who count them: the log, and what `sockwarden why` shows.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use super::record::Record;
use crate::request::Operation;

/// What refusals have in common that are counted as one, and the same for the client alone.
pub(super) fn sameness(record: &Record, reason: &str) -> (u64, u64) {
    static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    // A Unix client's process may live for one request.
    let client = record.client.split(" pid ").next().unwrap_or_default();
    let asked = (!record.is_stranger).then(|| {
        // The object does not matter; of what is no operation, the first words of the path do.
        let path = (record.operation == Operation::Unknown).then(|| first_words(&record.path));
        (record.method, record.operation, path, record.status.map(|status| status.as_u16()), reason)
    });
    (KEYS.hash_one((client, asked)), KEYS.hash_one(client))
}

/// The first segments of a path, its version among them.
fn first_words(path: &str) -> &str {
    const SEGMENTS: usize = 3;
    let end = path.match_indices('/').nth(SEGMENTS).map_or(path.len(), |(at, _)| at);
    path.get(..end).unwrap_or_default()
}
