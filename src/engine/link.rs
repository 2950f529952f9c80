//! The engine side of one client connection: opened when first needed, never shared, closed with it.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::transfer::{Connection, EngineBody, Exchange, Home, Upload, UploadError};
use super::wire::{AnswerHead, Framing};
use super::{Engine, EngineError};
use crate::policy::{Allowed, Body};
use crate::socket::Socket;

/// The engine connection that belongs to one client connection.
#[derive(Debug)]
pub struct Link {
    engine: Engine,
    /// The connection while nothing is under way on it.
    idle: Home,
}

impl Link {
    pub(super) fn new(engine: Engine) -> Self {
        Self { engine, idle: Home::default() }
    }

    /// Sends what was judged, exactly as it was judged, and waits for the head of the answer.
    ///
    /// # Errors
    /// When the engine cannot be reached, goes away, or answers with something no client may see.
    pub async fn send(&self, allowed: Allowed<Incoming>) -> Result<Answer, EngineError> {
        let (head, body) = allowed.into_parts();
        let body = match body {
            Body::None => RequestBody::Empty,
            Body::Forward(body) => RequestBody::Stream(body),
            Body::Judged(text) => RequestBody::Whole(Some(Bytes::from(text))),
            Body::Discard(body) => {
                discard(body).await?;
                RequestBody::Empty
            }
        };
        let asks_upgrade = head.upgrade.is_some();
        let can_upgrade = head.operation.upgrade().is_some();
        let mut upload = Upload::new(&head, body)
            .ok_or(EngineError::Unexpected("the request cannot be written"))?;
        let idle = self.take_idle();
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
                // An idle connection may have been closed by the engine meanwhile; a request of which it cannot have seen anything is
                // sent on a fresh one, once.
                Err(EngineError::Broken(_)) if is_reused && exchange.upload.is_unsent() => {
                    is_reused = false;
                    connection = self.open().await?;
                    upload = exchange.upload.again();
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Closes the engine connection, if one is open.
    pub fn close(&self) {
        drop(self.take_idle());
    }

    fn take_idle(&self) -> Option<Connection> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        idle.filter(Connection::is_quiet)
    }

    async fn open(&self) -> Result<Connection, EngineError> {
        Ok(Connection::new(self.engine.connect().await?))
    }

    async fn answer(
        &self,
        head: AnswerHead,
        mut exchange: Exchange,
        asks_upgrade: bool,
        can_upgrade: bool,
    ) -> Result<Answer, EngineError> {
        let switches = head.status == StatusCode::SWITCHING_PROTOCOLS;
        if switches && !asks_upgrade {
            return Err(EngineError::Unexpected("it changes protocols though nobody asked"));
        }
        let is_hijacked = switches || (can_upgrade && is_raw_stream(&head));
        let AnswerHead { status, mut fields, upgrade, framing, keeps } = head;
        let body = if is_hijacked {
            // What is still to come of the request is HTTP, and goes before what is not.
            let rest = poll_fn(|cx| exchange.upload.poll(cx, &exchange.connection.socket)).await;
            rest.map_err(|error| match error {
                UploadError::Client => EngineError::ClientBody,
                UploadError::Engine(error) => EngineError::Broken(error.into()),
            })?;
            let Connection { socket, input, .. } = exchange.connection;
            AnswerBody::Hijacked(Box::new(EngineEnd { socket, early: input.freeze() }))
        } else {
            let home = Arc::clone(&self.idle);
            AnswerBody::Stream(EngineBody::new(exchange, framing, keeps, home))
        };
        if switches {
            fields.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            fields.insert(header::UPGRADE, upgrade.unwrap_or(HeaderValue::from_static("tcp")));
        }
        Ok(Answer { status, fields, body })
    }
}

/// What the engine answered, ready to be passed on.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its end-to-end fields; of a hijacked connection also the two that say so.
    pub fields: HeaderMap,
    /// What follows the head.
    pub body: AnswerBody,
}

/// What follows the head of an answer.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "the large one is the usual one")]
pub enum AnswerBody {
    /// A body.
    Stream(EngineBody),
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
    let content_type =
        head.fields.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    head.status == StatusCode::OK
        && matches!(
            content_type,
            b"application/vnd.docker.raw-stream" | b"application/vnd.docker.multiplexed-stream"
        )
        && head.framing == Framing::UntilClose
}

const READ_BYTES: usize = 16 * 1024;

/// The most of a body that is read to be thrown away, in bytes.
const MAX_DISCARDED_BYTES: usize = 64 * 1024;

async fn discard(mut body: Incoming) -> Result<(), EngineError> {
    let mut left = MAX_DISCARDED_BYTES;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| EngineError::ClientBody)?;
        let length = frame.data_ref().map_or(0, Bytes::len);
        left = left.checked_sub(length).ok_or(EngineError::ClientBody)?;
    }
    Ok(())
}

/// The body of a request to the engine.
pub enum RequestBody {
    /// None.
    Empty,
    /// One that was read and judged.
    Whole(Option<Bytes>),
    /// The client's, as it comes.
    Stream(Incoming),
}

impl fmt::Debug for RequestBody {
    /// Not what is in it: a container's environment is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::Whole(_) => "Whole",
            Self::Stream(_) => "Stream",
        })
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Whole(body) => Poll::Ready(body.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole(body) => body.is_none(),
            Self::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(body) => {
                SizeHint::with_exact(body.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Stream(body) => body.size_hint(),
        }
    }
}
