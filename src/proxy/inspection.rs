//! The second half of a judgement: reads the body that is to be judged, and asks the engine what its names mean.
//!
//! What it takes of memory is counted before it is taken, in the order of [`Use`]: whoever waits for memory holds none that somebody else
//! needs to come to an end.

use bytes::{Bytes, BytesMut};
use tokio::time::{Duration, Instant, timeout, timeout_at};

use super::refusal::Refusal;
use crate::bounds::Limit;
use crate::bounds::Limits;
use crate::bounds::memory::{Purse, Taken, Use};
use crate::engine::Engine;
use crate::policy::{Allowed, Denied, Judgement};
use crate::request::json::Json;
use crate::wire::ClientBody;

/// How much of a body of unknown length is read before it gets room for the longest there may be, in bytes.
const FIRST_BYTES: usize = 64 * 1024;
/// A body that takes much of what all share must not stand still for longer than this.
const LONGEST_STALL: Duration = Duration::from_secs(5);
const LARGE_BYTES: usize = 256 * 1024;

/// A judgement that has ended.
#[derive(Debug)]
pub(super) enum Settled<'a> {
    /// With the memory of the body, until it was sent on.
    Allowed(Allowed<ClientBody<'a>>, Option<Taken>),
    Denied(Box<Denied>),
}

/// Brings a judgement to its end.
///
/// # Errors
/// When there is none: it takes more than it may, the body did not come, or the engine did not answer. Nothing is passed on unread.
pub(super) async fn settle<'a>(
    engine: &Engine,
    limits: &Limits,
    purse: &Purse,
    judgement: Judgement<ClientBody<'a>>,
) -> Result<Settled<'a>, Refusal> {
    let mut judgement = judgement;
    let mut body_memory = None;
    // What was read and answered stays in memory until the judgement ends.
    let mut memory: Option<Taken> = None;
    loop {
        let mut pending = match judgement {
            Judgement::Allowed(allowed) => return Ok(Settled::Allowed(allowed, body_memory)),
            Judgement::Denied(denied) => return Ok(Settled::Denied(denied)),
            Judgement::Pending(pending) => pending,
        };
        if let Some(body) = pending.take_body() {
            let (bytes, taken) = read(body, limits, purse).await?;
            body_memory = Some(taken);
            memory = Some(take(purse, limits, Use::Judgement, Json::memory(&bytes)).await?);
            judgement = pending.read(bytes);
            continue;
        }
        if let Some(mut body) = pending.take_empty_body() {
            let looking = timeout(limits.inspected_body_timeout, body.is_empty());
            judgement = match looking.await {
                Ok(Ok(is_empty)) => pending.emptied(is_empty),
                Ok(Err(_)) => return Err(Refusal::BrokenBody),
                Err(_) => return Err(Limit::BodyTime.into()),
            };
            continue;
        }
        for question in pending.questions() {
            let answer = engine.answer(&question).await.map_err(Refusal::Unjudged)?;
            let (answer, bytes) = answer.map_or((None, 0), |(json, bytes)| (Some(json), bytes));
            if pending.answer(question, answer) {
                match &mut memory {
                    Some(memory) => memory.grow(bytes)?,
                    none => *none = Some(take(purse, limits, Use::Judgement, bytes).await?),
                }
            }
        }
        judgement = pending.judge();
    }
}

/// Waits for memory, as long as a body may take.
async fn take(purse: &Purse, limits: &Limits, what: Use, bytes: usize) -> Result<Taken, Limit> {
    let taken = timeout(limits.inspected_body_timeout, purse.take(what, bytes)).await;
    taken.unwrap_or_else(|_| Err(purse.why_not(what, bytes)))
}

/// Reads a body whole; its memory is given back with what comes along.
async fn read(
    mut body: ClientBody<'_>,
    limits: &Limits,
    purse: &Purse,
) -> Result<(Bytes, Taken), Refusal> {
    let most = limits.inspected_body_limit;
    let announced = body.length().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    if announced.is_some_and(|length| length > most) {
        return Err(Limit::BodyBytes.into());
    }
    let mut room = announced.unwrap_or_else(|| FIRST_BYTES.min(most));
    let what = if announced.is_some() { Use::Body } else { Use::Head };
    let mut taken = take(purse, limits, what, room).await?;
    let mut bytes = BytesMut::with_capacity(room);
    let mut deadline = Instant::now() + limits.inspected_body_timeout;
    loop {
        let stalls = if bytes.len() + room > LARGE_BYTES { LONGEST_STALL } else { Duration::MAX };
        let until = Instant::now().checked_add(stalls).map_or(deadline, |end| end.min(deadline));
        let data = match timeout_at(until, body.next()).await {
            Err(_) => return Err(Limit::BodyTime.into()),
            Ok(None) => break,
            Ok(Some(data)) => data.map_err(|_| Refusal::BrokenBody)?,
        };
        let length = bytes.len() + data.len();
        if length > most {
            return Err(Limit::BodyBytes.into());
        }
        if length > room {
            let began = Instant::now();
            taken = take(purse, limits, Use::Body, most).await?;
            room = most;
            // The wait was ours.
            deadline += began.elapsed();
            bytes.reserve(most - bytes.len());
        }
        bytes.extend_from_slice(&data);
    }
    taken.shrink(bytes.len());
    Ok((bytes.freeze(), taken))
}
