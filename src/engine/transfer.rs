//! One request on its way to the engine and its answer on the way back, on a connection that both share.
//!
//! Nothing here is a task: whoever waits for the answer drives both directions, so a request body goes on while the answer already comes,
//! and everything ends when nobody waits any more.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::buf::Chain;
use bytes::{Buf, Bytes, BytesMut};
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};

use super::EngineError;
use super::link::RequestBody;
use super::wire::{AnswerHead, BodyLength, Framing, request_head};
use crate::request::{Head, Method};
use crate::socket::Socket;

/// How much room a read gets, in bytes: at first, and at most where reads keep filling it.
const LEAST_READ_BYTES: usize = 4 * 1024;
const MOST_READ_BYTES: usize = 128 * 1024;

/// A connection to the engine on which nothing is under way.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: Arc<Socket>,
    /// What was read and belongs to nobody yet.
    pub(super) input: BytesMut,
    room: usize,
}

impl Connection {
    pub(super) fn new(socket: Arc<Socket>) -> Self {
        Self { socket, input: BytesMut::new(), room: LEAST_READ_BYTES }
    }

    /// Whether the engine has neither closed it nor said anything that nobody asked for.
    pub(super) fn is_quiet(&self) -> bool {
        let nothing_came = self.socket.try_read(&mut [0_u8; 1].as_mut_slice());
        self.input.is_empty()
            && nothing_came.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Poll::Ready(result) = self.socket.poll_read_more(cx, &mut self.input, self.room) else {
            if self.input.is_empty() {
                // A silent stream holds no buffer.
                self.input = BytesMut::new();
            }
            return Poll::Pending;
        };
        let read = result?;
        if read >= self.room {
            self.room = (self.room * 2).min(MOST_READ_BYTES);
        } else if read < self.room / 4 {
            self.room = (self.room / 2).max(LEAST_READ_BYTES);
        }
        Poll::Ready(Ok(read))
    }
}

/// Where a connection goes that can carry another request.
pub(super) type Home = Arc<Mutex<Option<Connection>>>;

/// A request that is being sent.
#[derive(Debug)]
pub(super) struct Upload {
    /// What is to be written next: framing or the head, data, framing.
    piece: Piece,
    body: RequestBody,
    /// How much of the body is to come, where its length was told.
    left: Option<u64>,
    state: UploadState,
    /// Whether the engine may have seen any of it.
    began: bool,
}

type Piece = Chain<Chain<Bytes, Bytes>, Bytes>;

#[derive(Debug, PartialEq, Eq)]
enum UploadState {
    Running,
    /// All of it was written.
    Done,
    /// The engine takes no more; it may have answered all the same.
    Stopped,
}

/// Why sending ended early.
#[derive(Debug)]
pub(super) enum UploadError {
    /// The client's body failed.
    Client,
    /// The engine takes no more of it.
    Engine(io::Error),
}

fn piece(front: impl Into<Bytes>, data: Bytes, back: &'static [u8]) -> Piece {
    front.into().chain(data).chain(Bytes::from_static(back))
}

impl Upload {
    /// A request to be sent; `None` where its head cannot be written.
    pub(super) fn new(head: &Head, body: RequestBody) -> Option<Self> {
        let length = match body.size_hint().exact() {
            _ if body.is_end_stream() => BodyLength::Nothing,
            Some(bytes) => BodyLength::Exact(bytes),
            None => BodyLength::Unknown,
        };
        let left = match length {
            BodyLength::Nothing => Some(0),
            BodyLength::Exact(bytes) => Some(bytes),
            BodyLength::Unknown => None,
        };
        let head = request_head(head, length)?;
        let state = UploadState::Running;
        Some(Self { piece: piece(head, Bytes::new(), b""), body, left, state, began: false })
    }

    pub(super) fn is_done(&self) -> bool {
        self.state == UploadState::Done
    }

    /// Whether nothing of it can have reached the engine, so that it can be sent on another connection.
    pub(super) fn is_unsent(&self) -> bool {
        !self.began
    }

    /// The same request for another connection; only for one that is unsent.
    pub(super) fn again(self) -> Self {
        Self { state: UploadState::Running, ..self }
    }

    /// Sends as much as goes; ready when nothing is left to send.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        socket: &Socket,
    ) -> Poll<Result<(), UploadError>> {
        while self.state == UploadState::Running {
            while self.piece.has_remaining() {
                let written = ready!(socket.poll_write_buf(cx, &mut self.piece));
                match written {
                    Ok(1..) => self.began = true,
                    Ok(0) => return Poll::Ready(Err(self.stop(io::ErrorKind::WriteZero.into()))),
                    Err(error) => return Poll::Ready(Err(self.stop(error))),
                }
            }
            if self.left == Some(0) {
                self.state = UploadState::Done;
                // The answer may be a stream; what was written is not needed any more.
                self.piece = piece(Bytes::new(), Bytes::new(), b"");
                break;
            }
            let frame = ready!(Pin::new(&mut self.body).poll_frame(cx)).transpose();
            let Ok(frame) = frame else { return Poll::Ready(Err(UploadError::Client)) };
            match (frame.map(Frame::into_data), self.left) {
                (None, None) => {
                    self.left = Some(0);
                    self.piece = piece(Bytes::from_static(b"0\r\n\r\n"), Bytes::new(), b"");
                }
                // Bytes beyond what the head says would be a request that nobody judged; too few would make one of the next.
                (None, Some(_)) => return Poll::Ready(Err(UploadError::Client)),
                (Some(Ok(data)), Some(left)) => match left.checked_sub(data.len() as u64) {
                    Some(left) => {
                        self.left = Some(left);
                        self.piece = piece(Bytes::new(), data, b"");
                    }
                    None => return Poll::Ready(Err(UploadError::Client)),
                },
                (Some(Ok(data)), None) if data.has_remaining() => {
                    let size = format!("{:x}\r\n", data.len());
                    self.piece = piece(size, data, b"\r\n");
                }
                // Trailers are dropped.
                (Some(_), _) => {}
            }
        }
        Poll::Ready(Ok(()))
    }

    fn stop(&mut self, error: io::Error) -> UploadError {
        self.state = UploadState::Stopped;
        UploadError::Engine(error)
    }
}

/// A request whose answer has not begun.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) connection: Connection,
    pub(super) upload: Upload,
    is_head: bool,
    /// Why the engine took no more of the request.
    failed: Option<io::Error>,
}

impl Exchange {
    pub(super) fn new(connection: Connection, upload: Upload, method: Method) -> Self {
        Self { connection, upload, is_head: method == Method::Head, failed: None }
    }

    /// Sends, and reads until the head of the final answer is there. An engine that has heard enough may answer before the body is
    /// over, and close its side.
    pub(super) fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<AnswerHead, EngineError>> {
        match self.upload.poll(cx, &self.connection.socket) {
            Poll::Pending | Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(UploadError::Client)) => {
                return Poll::Ready(Err(EngineError::ClientBody));
            }
            // Whatever came then would answer nothing of ours.
            Poll::Ready(Err(UploadError::Engine(error))) if self.upload.is_unsent() => {
                return Poll::Ready(Err(EngineError::Broken(error.into())));
            }
            Poll::Ready(Err(UploadError::Engine(error))) => self.failed = Some(error),
        }
        loop {
            let input = &mut self.connection.input;
            while !input.is_empty() {
                let taken = AnswerHead::take(input, self.is_head);
                match taken? {
                    // Interim answers are the engine's business with us.
                    Some(head) if head.status.is_informational() && head.status != SWITCHING => {}
                    Some(head) => return Poll::Ready(Ok(head)),
                    None => break,
                }
            }
            let read = ready!(self.connection.poll_fill(cx));
            let ended = || io::Error::from(io::ErrorKind::UnexpectedEof);
            if let Err(error) | Ok(Err(error)) =
                read.map(|count| if count == 0 { Err(ended()) } else { Ok(()) })
            {
                return Poll::Ready(Err(EngineError::Broken(
                    self.failed.take().unwrap_or(error).into(),
                )));
            }
        }
    }
}

const SWITCHING: StatusCode = StatusCode::SWITCHING_PROTOCOLS;

/// The body of an answer, as it comes. Dropped before its end it closes the connection, which is how the daemon learns to cancel.
#[derive(Debug)]
pub struct EngineBody {
    /// Gone when the body is over or has failed.
    connection: Option<Connection>,
    framing: Framing,
    upload: Upload,
    keeps: bool,
    home: Home,
    /// How it failed, until that was told.
    failure: Option<EngineError>,
}

impl EngineBody {
    pub(super) fn new(exchange: Exchange, framing: Framing, keeps: bool, home: Home) -> Self {
        let Exchange { connection, upload, .. } = exchange;
        let connection = Some(connection);
        let mut body = Self { connection, framing, upload, keeps, home, failure: None };
        body.end_if_done();
        body
    }

    /// At the end of the body, gives back a connection that can carry another request, and closes any other.
    fn end_if_done(&mut self) {
        if !self.framing.is_done() {
            return;
        }
        // Bytes behind the answer belong to no request, least of all to the next one.
        if let Some(connection) = self.connection.take()
            && self.keeps
            && self.upload.is_done()
            && connection.input.is_empty()
        {
            let connection = Connection { input: BytesMut::new(), ..connection };
            *self.home.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
        }
    }

    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, EngineError>> {
        let Some(connection) = &mut self.connection else { return Poll::Ready(Ok(None)) };
        match self.upload.poll(cx, &connection.socket) {
            // What the engine does not want any more does not spoil its answer.
            Poll::Pending | Poll::Ready(Ok(()) | Err(UploadError::Engine(_))) => {}
            Poll::Ready(Err(UploadError::Client)) => {
                return Poll::Ready(Err(EngineError::ClientBody));
            }
        }
        loop {
            let bytes = self.framing.next(&mut connection.input);
            if let Some(bytes) = bytes.map_err(EngineError::NotHttp)? {
                return Poll::Ready(Ok(Some(bytes)));
            }
            if self.framing.is_done() {
                return Poll::Ready(Ok(None));
            }
            let read = ready!(connection.poll_fill(cx));
            match read.map_err(|error| EngineError::Broken(error.into()))? {
                0 if self.framing == Framing::UntilClose => {
                    self.framing = Framing::Length(0);
                    return Poll::Ready(Ok(None));
                }
                0 => {
                    let early = io::Error::from(io::ErrorKind::UnexpectedEof);
                    return Poll::Ready(Err(EngineError::Broken(early.into())));
                }
                _ => {}
            }
        }
    }
}

impl Body for EngineBody {
    type Data = Bytes;
    type Error = EngineError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EngineError>>> {
        let this = self.get_mut();
        if let Some(error) = this.failure.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match ready!(this.poll_bytes(cx)) {
            Ok(bytes) => {
                this.end_if_done();
                Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
            }
            Err(error) => {
                this.connection = None;
                this.failure = Some(error);
                // The HTTP library throws away what it has not written when a body fails, and the head is among it; it writes when we
                // make it wait.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.connection.is_none() && self.framing.is_done() && self.failure.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.framing {
            Framing::Length(left) => SizeHint::with_exact(left),
            Framing::Chunked(_) | Framing::UntilClose => SizeHint::default(),
        }
    }
}
