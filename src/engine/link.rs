//! The engine side of one client connection: opened when first needed, never shared, closed with it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;

use super::{Engine, EngineError};
use crate::policy::{Allowed, Body};
use crate::request::{Head, Upgrade, strip_hop_by_hop};
use crate::socket::{SharedSocket, Socket};

/// The engine connection that belongs to one client connection.
#[derive(Debug)]
pub struct Link {
    engine: Engine,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    sender: SendRequest<RequestBody>,
    socket: Arc<Socket>,
    /// The task that drives the connection; dropping it closes the socket, which is how the daemon learns to cancel.
    driver: JoinSet<()>,
}

impl Link {
    pub(super) fn new(engine: Engine) -> Self {
        Self { engine, open: None }
    }

    /// Sends what was judged, exactly as it was judged, and waits for the head of the answer.
    ///
    /// # Errors
    /// When the engine cannot be reached, goes away, or answers with something no client may see.
    pub async fn send(&mut self, allowed: Allowed<Incoming>) -> Result<Answer, EngineError> {
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
        let upgrade = head.upgrade;
        let can_upgrade = head.operation.upgrade().is_some();
        let mut request = wire_request(head, body)?;
        // An idle connection may have been closed by the engine meanwhile; a request that was not written yet comes back to be sent
        // on a fresh one, once.
        for _ in 0..2 {
            let open = self.ready().await?;
            match open.sender.try_send_request(request).await {
                Ok(response) => return self.answer(response, upgrade, can_upgrade).await,
                Err(mut error) => {
                    self.open = None;
                    match error.take_message() {
                        Some(unsent) => request = unsent,
                        None => return Err(blame(error.into_error())),
                    }
                }
            }
        }
        Err(EngineError::Unexpected("it closes every connection at once"))
    }

    /// Closes the engine connection, if one is open.
    pub fn close(&mut self) {
        self.open = None;
    }

    async fn ready(&mut self) -> Result<&mut Open, EngineError> {
        let usable = match &mut self.open {
            Some(open) => open.sender.ready().await.is_ok(),
            None => false,
        };
        if !usable {
            self.open = None;
        }
        match &mut self.open {
            Some(open) => Ok(open),
            closed => {
                let socket = self.engine.connect().await?;
                let io = TokioIo::new(SharedSocket(Arc::clone(&socket)));
                let (sender, connection) = http1::Builder::new()
                    .title_case_headers(true)
                    .handshake(io)
                    .await
                    .map_err(EngineError::Broken)?;
                let mut driver = JoinSet::new();
                driver.spawn(async move {
                    // Its failure reaches whoever waits for the answer.
                    let _ = connection.with_upgrades().await;
                });
                Ok(closed.insert(Open { sender, socket, driver }))
            }
        }
    }

    async fn answer(
        &mut self,
        mut response: http::Response<Incoming>,
        upgrade: Option<Upgrade>,
        can_upgrade: bool,
    ) -> Result<Answer, EngineError> {
        let hijack = if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            if upgrade.is_none() {
                self.open = None;
                return Err(EngineError::Unexpected("it changes protocols though nobody asked"));
            }
            Some(Hijack::Upgraded)
        } else {
            (can_upgrade && is_raw_stream(&response)).then_some(Hijack::Raw)
        };
        let Some(hijack) = hijack else {
            let (mut head, body) = response.into_parts();
            strip_hop_by_hop(&mut head.headers);
            return Ok(Answer {
                status: head.status,
                fields: head.headers,
                body: AnswerBody::Stream(body),
            });
        };
        // From here on the connection is no longer HTTP: it leaves the link and is closed by whoever ends the tunnel.
        let open = self.open.take().ok_or(EngineError::Unexpected("its connection is gone"))?;
        let status = response.status();
        let mut fields = std::mem::take(response.headers_mut());
        let incoming = match hijack {
            Hijack::Upgraded => {
                let upgraded =
                    hyper::upgrade::on(&mut response).await.map_err(EngineError::Broken)?;
                let parts = upgraded
                    .downcast::<TokioIo<SharedSocket>>()
                    .map_err(|_| EngineError::Unexpected("its connection is of another kind"))?;
                EngineIncoming::Socket { early: parts.read_buf }
            }
            Hijack::Raw => EngineIncoming::Body(response.into_body()),
        };
        let token = fields.get(header::UPGRADE).cloned();
        strip_hop_by_hop(&mut fields);
        if status == StatusCode::SWITCHING_PROTOCOLS {
            fields.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            fields.insert(header::UPGRADE, token.unwrap_or(HeaderValue::from_static("tcp")));
        }
        let end = EngineEnd { socket: open.socket, incoming, _driver: open.driver };
        Ok(Answer { status, fields, body: AnswerBody::Hijacked(Box::new(end)) })
    }
}

enum Hijack {
    Upgraded,
    Raw,
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
pub enum AnswerBody {
    /// A body.
    Stream(Incoming),
    /// Bytes outside HTTP, both ways.
    Hijacked(Box<EngineEnd>),
}

/// The engine's end of a hijacked connection.
#[derive(Debug)]
pub struct EngineEnd {
    socket: Arc<Socket>,
    incoming: EngineIncoming,
    /// Reads the answer's bytes where they still come through the HTTP library.
    _driver: JoinSet<()>,
}

#[derive(Debug)]
enum EngineIncoming {
    /// Behind a 101: what was read along with the head, then the socket.
    Socket { early: Bytes },
    /// Behind a 200 without a length: the body is all that comes until the engine closes.
    Body(Incoming),
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
        match &mut self.incoming {
            EngineIncoming::Socket { early } if !early.is_empty() => {
                Ok(Some(std::mem::take(early)))
            }
            EngineIncoming::Socket { .. } => {
                // A silent stream holds no buffer.
                self.socket.readable().await?;
                buffer.reserve(READ_BYTES);
                let read = self.socket.read_into(buffer).await?;
                Ok((read > 0).then(|| buffer.split().freeze()))
            }
            EngineIncoming::Body(body) => loop {
                match body.frame().await.transpose().map_err(std::io::Error::other)? {
                    None => return Ok(None),
                    Some(frame) => match frame.into_data() {
                        Ok(data) if data.has_remaining() => return Ok(Some(data)),
                        _ => {}
                    },
                }
            },
        }
    }
}

/// The engine's own 200 in place of a 101: a raw stream without a length (moby `postContainersAttach`, facts of API 1.12 to today).
/// `logs` uses the same content types, with chunked coding.
fn is_raw_stream(response: &http::Response<Incoming>) -> bool {
    let fields = response.headers();
    let content_type =
        fields.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    response.status() == StatusCode::OK
        && matches!(
            content_type,
            b"application/vnd.docker.raw-stream" | b"application/vnd.docker.multiplexed-stream"
        )
        && !fields.contains_key(header::CONTENT_LENGTH)
        && !fields.contains_key(header::TRANSFER_ENCODING)
}

fn wire_request(head: Head, body: RequestBody) -> Result<http::Request<RequestBody>, EngineError> {
    let unexpected = |_| EngineError::Unexpected("the request cannot be written");
    let mut request = http::Request::new(body);
    *request.method_mut() = http::Method::from_bytes(head.method.as_str().as_bytes())
        .map_err(|_| EngineError::Unexpected("the request cannot be written"))?;
    *request.uri_mut() = head.target.to_wire().parse().map_err(unexpected)?;
    *request.version_mut() = Version::HTTP_11;
    let mut fields = head.fields.into_map();
    fields.insert(header::HOST, HeaderValue::from_static("docker"));
    if let Some(upgrade) = head.upgrade {
        fields.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        fields.insert(header::UPGRADE, HeaderValue::from_static(upgrade.token()));
    }
    *request.headers_mut() = fields;
    Ok(request)
}

/// Says whose fault it was: a "user" error of the HTTP library is a body that failed, and bodies are the clients'.
fn blame(error: hyper::Error) -> EngineError {
    if error.is_user() {
        EngineError::ClientBody
    } else if error.is_parse_too_large() {
        EngineError::TooLarge(error)
    } else if error.is_parse() {
        EngineError::NotHttp(error)
    } else {
        EngineError::Broken(error)
    }
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
#[derive(Debug)]
pub enum RequestBody {
    /// None.
    Empty,
    /// One that was read and judged.
    Whole(Option<Bytes>),
    /// The client's, as it comes.
    Stream(Incoming),
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
