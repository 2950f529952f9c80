//! The engine side of one client connection: opened when first needed, never shared, closed with it.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;

use super::door::Engine;
use super::error::EngineError;
use super::head::AnswerHead;
use super::transfer::{EngineBody, Exchange, RequestBody, Upload, UploadError};

use crate::bounds::memory::{Purse, Taken};
use crate::policy::{Allowed, Body};
use crate::request::{Fields, Method};
use crate::socket::Socket;
use crate::wire::{ClientBody, Framing, Incoming};

/// The engine connection that belongs to one client connection.
#[derive(Debug)]
pub struct Link {
    engine: Engine,
    /// The connection while nothing is under way on it.
    idle: Option<Incoming>,
    /// Whose memory what passes through takes.
    purse: Option<Purse>,
}

impl Engine {
    /// The engine side of one client connection, at the expense of that client. Nothing is opened before the first request.
    pub fn link(&self, purse: Option<Purse>) -> Link {
        Link::new(self.clone(), purse)
    }
}

impl Link {
    fn new(engine: Engine, purse: Option<Purse>) -> Self {
        Self { engine, idle: None, purse }
    }

    /// Sends what was judged, exactly as it was judged, and waits for the head of the answer. The memory of a judged body is given back once
    /// it was sent.
    ///
    /// # Errors
    /// When the engine cannot be reached, goes away, or answers with something no client may see.
    pub async fn send<'a>(
        &'a mut self,
        allowed: Allowed<ClientBody<'a>>,
        memory: Option<Taken>,
    ) -> Result<Answer<'a>, EngineError> {
        let (head, body) = allowed.into_parts();
        let body = match body {
            Body::None => RequestBody::Empty,
            Body::Forward(body) => RequestBody::Stream(body),
            Body::Judged(text) => {
                RequestBody::Whole(Bytes::from_owner(Counted { text, _memory: memory }))
            }
            Body::Discard(body) => {
                discard(body).await?;
                RequestBody::Empty
            }
        };
        // Asking it twice is asking it once (RFC 9110 section 9.2.2).
        let can_repeat = matches!(head.method, Method::Get | Method::Head)
            && matches!(body, RequestBody::Empty)
            && head.can_upgrade.is_none();
        let asks_upgrade = head.upgrade.is_some();
        let can_upgrade = head.can_upgrade.is_some();
        let mut upload = Upload::new(&head, body).ok_or(UNWRITABLE)?;
        let idle = self.idle.take().filter(is_quiet);
        let mut is_reused = idle.is_some();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.open().await?,
        };
        loop {
            let mut exchange = Exchange::new(connection, upload, head.method);
            match poll_fn(|cx| exchange.poll_answer(cx)).await {
                Ok(answer) => {
                    return self.answer(answer, exchange, asks_upgrade, can_upgrade).await;
                }
                // The engine may have closed an idle connection meanwhile. A request of which it cannot have seen anything is sent again
                // on a fresh one, and so is one that may be repeated and of whose answer nothing came; both once.
                Err(EngineError::Broken(_)) if is_reused && exchange.upload.is_unsent() => {
                    is_reused = false;
                    connection = self.open().await?;
                    upload = exchange.upload.again();
                }
                Err(EngineError::Broken(_))
                    if is_reused && can_repeat && exchange.is_unanswered() =>
                {
                    is_reused = false;
                    connection = self.open().await?;
                    upload = Upload::new(&head, RequestBody::Empty).ok_or(UNWRITABLE)?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn open(&self) -> Result<Incoming, EngineError> {
        let socket = self.engine.connect().await?;
        if self.purse.as_ref().is_some_and(Purse::is_crowded) {
            socket.shrink_buffers();
        }
        Ok(Incoming::new(socket, self.purse.clone()))
    }

    async fn answer<'a>(
        &'a mut self,
        head: AnswerHead,
        mut exchange: Exchange<'a>,
        asks_upgrade: bool,
        can_upgrade: bool,
    ) -> Result<Answer<'a>, EngineError> {
        let switches = head.status == StatusCode::SWITCHING_PROTOCOLS;
        if switches && !asks_upgrade {
            return Err(EngineError::Unexpected("it changes protocols though nobody asked"));
        }
        let is_hijacked = switches || (can_upgrade && is_raw_stream(&head));
        let AnswerHead { status, mut fields, upgrade, is_dated, framing, keeps } = head;
        let body = if is_hijacked {
            // What is still to come of the request is HTTP, and goes before what is not.
            let rest = poll_fn(|cx| exchange.upload.poll(cx, &exchange.connection.socket)).await;
            rest.map_err(|error| match error {
                UploadError::Client => EngineError::ClientBody,
                UploadError::Engine(error) => EngineError::Broken(error.into()),
            })?;
            let Incoming { socket, input, .. } = exchange.connection;
            AnswerBody::Hijacked(Box::new(EngineEnd { socket, early: input.freeze() }))
        } else {
            let home = keeps.then_some(&mut self.idle);
            AnswerBody::Stream(EngineBody::new(exchange, framing, home))
        };
        if switches {
            let token = upgrade.as_deref().unwrap_or(b"tcp");
            if !(fields.push("Connection", b"Upgrade") && fields.push("Upgrade", token)) {
                return Err(EngineError::NotHttp("its upgrade is malformed"));
            }
        }
        Ok(Answer { status, fields, is_dated, body })
    }
}

const UNWRITABLE: EngineError = EngineError::Unexpected("the request cannot be written");

/// A text, and the memory that it takes.
struct Counted {
    text: String,
    _memory: Option<Taken>,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

/// Whether the engine has neither closed an idle connection nor said anything that nobody asked for.
fn is_quiet(idle: &Incoming) -> bool {
    let nothing_came = idle.socket.try_read(&mut [0_u8; 1].as_mut_slice());
    idle.input.is_empty()
        && nothing_came.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

/// What the engine answered, ready to be passed on.
#[derive(Debug)]
pub struct Answer<'a> {
    /// Its status.
    pub status: StatusCode,
    /// Its end-to-end fields; of a hijacked connection also the two that say so.
    pub fields: Fields,
    /// Whether `Date` is one of them.
    pub is_dated: bool,
    /// What follows the head.
    pub body: AnswerBody<'a>,
}

/// What follows the head of an answer.
#[derive(Debug)]
pub enum AnswerBody<'a> {
    /// A body.
    Stream(EngineBody<'a>),
    /// Bytes outside HTTP, both ways.
    Hijacked(Box<EngineEnd>),
}

/// The engine's end of a hijacked connection.
#[derive(Debug)]
pub struct EngineEnd {
    socket: Arc<Socket>,
    /// What was read along with the head.
    early: Bytes,
}

impl EngineEnd {
    /// The socket, to write to and to end.
    pub fn socket(&self) -> Arc<Socket> {
        Arc::clone(&self.socket)
    }

    /// The next bytes from the engine; `None` at its end.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn read(&mut self, buffer: &mut BytesMut) -> std::io::Result<Option<Bytes>> {
        if !self.early.is_empty() {
            return Ok(Some(std::mem::take(&mut self.early)));
        }
        // A silent stream holds no buffer.
        let read = poll_fn(|cx| self.socket.poll_read_more(cx, buffer, READ_BYTES)).await?;
        Ok((read > 0).then(|| buffer.split().freeze()))
    }
}

/// The engine's own 200 in place of a 101: a raw stream without a length (moby `postContainersAttach`, facts of API 1.12 to today).
/// `logs` uses the same content types, with chunked coding.
fn is_raw_stream(head: &AnswerHead) -> bool {
    let is_raw = |content_type: &[u8]| {
        matches!(
            content_type,
            b"application/vnd.docker.raw-stream" | b"application/vnd.docker.multiplexed-stream"
        )
    };
    head.status == StatusCode::OK
        && head.framing == Framing::UntilClose
        && head.fields.all("content-type").next().is_some_and(is_raw)
}

const READ_BYTES: usize = 16 * 1024;

/// The most of a body that is read to be thrown away, in bytes.
const MAX_DISCARDED_BYTES: usize = 64 * 1024;

/// How long it may take to come.
const DISCARD_DEADLINE: Duration = Duration::from_secs(30);

async fn discard(mut body: ClientBody<'_>) -> Result<(), EngineError> {
    let discarding = async {
        let mut left = MAX_DISCARDED_BYTES;
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(|_| EngineError::ClientBody)?;
            left = left.checked_sub(bytes.len()).ok_or(EngineError::ClientBody)?;
        }
        Ok(())
    };
    tokio::time::timeout(DISCARD_DEADLINE, discarding).await.map_err(|_| EngineError::ClientBody)?
}
