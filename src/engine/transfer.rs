//! One request on its way to the engine and its answer on the way back, on a connection that both share.
//!
//! Nothing here is a task: whoever waits for the answer drives both directions, so a request body goes on while the answer already comes,
//! and everything ends when nobody waits any more.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::StatusCode;

use super::error::EngineError;
use super::head::{AnswerHead, BodyLength, request_head};
use crate::request::{Head, Method};
use crate::socket::Socket;
use crate::wire::{ClientBody, Framing, Incoming, Outgoing};

/// The body of a request to the engine.
pub(super) enum RequestBody<'a> {
    /// None.
    Empty,
    /// One that was read and judged.
    Whole(Bytes),
    /// The client's, as it comes.
    Stream(ClientBody<'a>),
}

/// A request that is being sent.
#[derive(Debug)]
pub(super) struct Upload<'a> {
    out: Outgoing,
    /// What follows, until all of it was read.
    body: Option<ClientBody<'a>>,
    is_chunked: bool,
    state: UploadState,
    /// Whether the engine may have seen any of it.
    began: bool,
}

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

impl<'a> Upload<'a> {
    /// A request to be sent; `None` where its head cannot be written.
    pub(super) fn new(head: &Head, body: RequestBody<'a>) -> Option<Self> {
        let (length, whole, body) = match body {
            RequestBody::Empty => (BodyLength::Nothing, Bytes::new(), None),
            RequestBody::Whole(bytes) => (BodyLength::Exact(bytes.len() as u64), bytes, None),
            RequestBody::Stream(body) => {
                let length = body.length().map_or(BodyLength::Unknown, BodyLength::Exact);
                (length, Bytes::new(), Some(body))
            }
        };
        let mut out = Outgoing::from(request_head(head, length)?);
        out.bytes(whole);
        let is_chunked = length == BodyLength::Unknown;
        Some(Self { out, body, is_chunked, state: UploadState::Running, began: false })
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
            while !self.out.is_empty() {
                match ready!(self.out.poll_write(cx, socket)) {
                    Ok(_) => self.began = true,
                    Err(error) => {
                        self.state = UploadState::Stopped;
                        return Poll::Ready(Err(UploadError::Engine(error)));
                    }
                }
            }
            // The answer may go on for hours, and the head held credentials.
            self.out.release();
            let Some(body) = &mut self.body else {
                self.state = UploadState::Done;
                break;
            };
            // A body that ends early is an error of its own: too few bytes would make one of the next request.
            let (out, is_chunked) = (&mut self.out, self.is_chunked);
            let read = ready!(body.poll_data(cx, |input, count| {
                if is_chunked { out.data_as_chunk(input, count) } else { out.data(input, count) }
            }));
            match read {
                Some(Ok(())) => {}
                Some(Err(_)) => return Poll::Ready(Err(UploadError::Client)),
                None => {
                    self.body = None;
                    if self.is_chunked {
                        self.out.last_chunk();
                    }
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// A request whose answer has not begun.
#[derive(Debug)]
pub(super) struct Exchange<'a> {
    pub(super) connection: Incoming,
    pub(super) upload: Upload<'a>,
    is_head: bool,
    /// Whether anything came of an answer.
    began: bool,
    /// Why the engine took no more of the request.
    failed: Option<io::Error>,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(connection: Incoming, upload: Upload<'a>, method: Method) -> Self {
        Self { connection, upload, is_head: method == Method::Head, began: false, failed: None }
    }

    /// Whether the engine went away before any byte of an answer came.
    pub(super) fn is_unanswered(&self) -> bool {
        !self.began
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
            self.began |= matches!(read, Ok(1..));
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
pub struct EngineBody<'a> {
    /// Gone when the body is over or has failed.
    connection: Option<Incoming>,
    framing: Framing,
    upload: Upload<'a>,
    /// Where the connection goes if it can carry another request.
    home: Option<&'a mut Option<Incoming>>,
}

impl<'a> EngineBody<'a> {
    pub(super) fn new(
        exchange: Exchange<'a>,
        framing: Framing,
        home: Option<&'a mut Option<Incoming>>,
    ) -> Self {
        let Exchange { connection, upload, .. } = exchange;
        let mut body = Self { connection: Some(connection), framing, upload, home };
        body.end_if_done();
        body
    }

    /// How its end is found.
    pub fn framing(&self) -> &Framing {
        &self.framing
    }

    /// Whether all of it was taken.
    pub fn is_over(&self) -> bool {
        self.framing.is_done()
    }

    /// Waits for bytes and lets `take` take them, so many, from the front of what was read; nothing at the end of the body.
    ///
    /// # Errors
    /// When the engine breaks off, or the client's own body does. There is nothing more to be asked for then.
    pub fn poll_data<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut take: impl FnMut(&mut BytesMut, usize) -> T,
    ) -> Poll<Option<Result<T, EngineError>>> {
        let Some(connection) = &mut self.connection else { return Poll::Ready(None) };
        match self.upload.poll(cx, &connection.socket) {
            // What the engine does not want any more does not spoil its answer.
            Poll::Pending | Poll::Ready(Ok(()) | Err(UploadError::Engine(_))) => {}
            Poll::Ready(Err(UploadError::Client)) => {
                return Poll::Ready(Some(Err(EngineError::ClientBody)));
            }
        }
        let taken = loop {
            let taken = self.framing.next(&mut connection.input, &mut take);
            match taken.map_err(EngineError::NotHttp).transpose() {
                None if self.framing.is_done() => break None,
                None => {}
                some => break some,
            }
            let read = ready!(connection.poll_fill(cx));
            match read.map_err(|error| EngineError::Broken(error.into()))? {
                0 if self.framing == Framing::UntilClose => self.framing = Framing::Length(0),
                0 => {
                    let early = io::Error::from(io::ErrorKind::UnexpectedEof);
                    break Some(Err(EngineError::Broken(early.into())));
                }
                _ => {}
            }
        };
        self.end_if_done();
        Poll::Ready(taken)
    }

    /// At the end of the body, gives back a connection that can carry another request, and closes any other.
    fn end_if_done(&mut self) {
        if !self.framing.is_done() {
            return;
        }
        // Bytes behind the answer belong to no request, least of all to the next one.
        if let Some(mut connection) = self.connection.take()
            && self.upload.is_done()
            && connection.input.is_empty()
            && let Some(home) = self.home.take()
        {
            connection.release();
            connection.rest();
            *home = Some(connection);
        }
    }
}
