//! The second half of a judgement: reads the body that is to be judged, and asks the engine what its names mean.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refusal;
use crate::audit::Outcome;
use crate::bounds::Limit;
use crate::config::Limits;
use crate::engine::Engine;
use crate::policy::{Allowed, Denied, Judgement};
use crate::wire::ClientBody;

/// The memory that all bodies under inspection may take beyond their first [`UNIT_BYTES`], in bytes.
const SHARED_BYTES: usize = 64 * 1024 * 1024;
/// What is counted in that memory.
const UNIT_BYTES: usize = 64 * 1024;

/// Reads bodies, within bounds that all clients share.
#[derive(Debug)]
pub(super) struct Inspector {
    /// One permit for each [`UNIT_BYTES`].
    memory: Arc<Semaphore>,
}

impl Default for Inspector {
    fn default() -> Self {
        Self { memory: Arc::new(Semaphore::new(SHARED_BYTES / UNIT_BYTES)) }
    }
}

/// A judgement that has ended.
#[derive(Debug)]
pub(super) enum Settled<'a> {
    Allowed(Allowed<ClientBody<'a>>),
    Denied(Box<Denied>),
    /// There is none, because the body is longer or slower than what is inspected. Nothing is passed on unread.
    Limited(Limit),
    /// There is none, because the body did not come or the engine did not answer.
    Failed {
        status: StatusCode,
        message: String,
        outcome: Outcome,
    },
}

impl Inspector {
    /// Brings a judgement to its end.
    pub(super) async fn settle<'a>(
        &self,
        engine: &Engine,
        limits: &Limits,
        judgement: Judgement<ClientBody<'a>>,
    ) -> Settled<'a> {
        let mut judgement = judgement;
        // What was read stays in memory until the judgement ends.
        let mut memory = Vec::new();
        loop {
            let mut pending = match judgement {
                Judgement::Allowed(allowed) => return Settled::Allowed(allowed),
                Judgement::Denied(denied) => return Settled::Denied(denied),
                Judgement::Pending(pending) => pending,
            };
            if let Some(body) = pending.take_body() {
                let reading = self.read(body, limits.inspected_body_limit);
                judgement = match tokio::time::timeout(limits.inspected_body_timeout, reading).await
                {
                    Ok(Ok((bytes, permit))) => {
                        memory.extend(permit);
                        pending.read(&bytes)
                    }
                    Ok(Err(Unread::TooLong)) => return Settled::Limited(Limit::BodyBytes),
                    Ok(Err(Unread::Broken)) => {
                        let message = "the request body ended early; send it whole";
                        return failed(StatusCode::BAD_REQUEST, message, Outcome::Aborted);
                    }
                    Err(_) => return Settled::Limited(Limit::BodyTime),
                };
                continue;
            }
            if let Some(mut body) = pending.take_empty_body() {
                let looking = tokio::time::timeout(limits.inspected_body_timeout, body.is_empty());
                judgement = match looking.await {
                    Ok(Ok(is_empty)) => pending.emptied(is_empty),
                    Ok(Err(_)) => {
                        let message = "the request body ended early; send it whole";
                        return failed(StatusCode::BAD_REQUEST, message, Outcome::Aborted);
                    }
                    Err(_) => return Settled::Limited(Limit::BodyTime),
                };
                continue;
            }
            for question in pending.questions() {
                match engine.answer(&question).await {
                    Ok(answer) => pending.answer(question, answer),
                    Err(error) => {
                        let (status, message) = refusal::engine_failure(&error);
                        // Not by its name: that may come from an answer which the client must not read.
                        let message = format!("what this names cannot be judged: {message}");
                        return failed(status, &message, Outcome::EngineFailed);
                    }
                }
            }
            judgement = pending.judge();
        }
    }

    /// Reads a body whole; its memory is given back with the permit.
    async fn read(
        &self,
        mut body: ClientBody<'_>,
        most_bytes: usize,
    ) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Unread> {
        let mut bytes = BytesMut::new();
        let mut memory: Option<OwnedSemaphorePermit> = None;
        if body.length().is_some_and(|length| length > most_bytes as u64) {
            return Err(Unread::TooLong);
        }
        while let Some(data) = body.next().await {
            let data = data.map_err(|_| Unread::Broken)?;
            let length = bytes.len() + data.len();
            if length > most_bytes {
                return Err(Unread::TooLong);
            }
            let held = memory.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
            let more = (length / UNIT_BYTES).saturating_sub(held);
            if more > 0 {
                let more = u32::try_from(more).map_err(|_| Unread::TooLong)?;
                let permit = Arc::clone(&self.memory).acquire_many_owned(more).await;
                let permit = permit.map_err(|_| Unread::Broken)?;
                match &mut memory {
                    Some(held) => held.merge(permit),
                    none => *none = Some(permit),
                }
            }
            bytes.extend_from_slice(&data);
        }
        Ok((bytes.freeze(), memory))
    }
}

/// Why a body was not read.
enum Unread {
    TooLong,
    Broken,
}

fn failed(status: StatusCode, message: &str, outcome: Outcome) -> Settled<'static> {
    Settled::Failed { status, message: message.to_owned(), outcome }
}
