//! What happened to one request.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use http::StatusCode;

use crate::client::Container;
use crate::policy::Grant;
use crate::request::{Method, Operation};

/// What happened to one request.
#[derive(Debug)]
pub struct Record {
    /// What ties a refusal to its log line.
    pub id: RecordId,
    /// Who asked, by name or address.
    pub client: Arc<str>,
    /// The containers that asked, where it is known which.
    pub containers: Option<Arc<[Arc<Container>]>>,
    /// The method, where one was read.
    pub method: Option<Method>,
    /// The decoded path with its version prefix, or what was sent in its place; never the query.
    pub path: String,
    /// What the path means.
    pub operation: Operation,
    /// Why it was allowed or refused.
    pub decision: Decision,
    /// The status the client was answered.
    pub status: Option<StatusCode>,
    /// How it ended.
    pub outcome: Outcome,
    /// What a client that may not ask for this was told.
    pub told: Option<String>,
    /// What would have allowed it, where it was refused.
    pub fix: Option<String>,
    /// What failed, where the engine did.
    pub failure: Option<String>,
    /// Whether it came from somebody we do not serve, so that it does not matter what was asked.
    pub is_stranger: bool,
    /// Bytes of the answer that went to the client behind its head.
    pub bytes_out: u64,
    began: Instant,
}

impl Record {
    /// The record of a request that begins now.
    pub fn new(client: Arc<str>) -> Self {
        Self {
            id: RecordId::next(),
            client,
            containers: None,
            method: None,
            path: String::new(),
            operation: Operation::Unknown,
            decision: Decision::Unjudged,
            status: None,
            outcome: Outcome::Aborted,
            told: None,
            fix: None,
            failure: None,
            is_stranger: false,
            bytes_out: 0,
            began: Instant::now(),
        }
    }

    /// How long the request has taken so far.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

/// What was decided.
#[derive(Debug, Clone)]
pub enum Decision {
    /// Nothing yet.
    Unjudged,
    /// Allowed, and by what.
    Allowed(Grant),
    /// Refused, and why.
    Refused(String),
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The whole answer went to the client.
    Answered,
    /// The connection left HTTP, and both directions ended.
    Hijacked,
    /// We refused it.
    Refused,
    /// The engine could not be reached, or broke off.
    EngineFailed,
    /// The client went away, or we were told to stop.
    Aborted,
    /// We panicked: a bug of ours.
    Panicked,
}

impl Outcome {
    /// How it is logged.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Hijacked => "hijacked",
            Self::Refused => "refused",
            Self::EngineFailed => "engine failed",
            Self::Aborted => "aborted",
            Self::Panicked => "panicked",
        }
    }
}

/// Eight hexadecimal digits that name a request until the counter has gone round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordId(u32);

impl RecordId {
    fn next() -> Self {
        // A random start keeps the ids of two runs apart in one log.
        static NEXT: LazyLock<AtomicU64> =
            LazyLock::new(|| AtomicU64::new(RandomState::new().build_hasher().finish()));
        #[expect(clippy::cast_possible_truncation, reason = "the low half is the id")]
        Self(NEXT.fetch_add(1, Ordering::Relaxed) as u32)
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}
