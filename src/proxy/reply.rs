//! Answers on their way to the client: the engine's, as they come, or our own.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use bytes::Bytes;
use http::StatusCode;
use tokio::sync::watch;

use super::drain::Stop;
use super::refusal::{Refusal, with_sources};
use crate::audit::{Outcome, Record};
use crate::engine::{EngineBody, EngineError};
use crate::request::Fields;
use crate::socket::Socket;
use crate::wire::{Framing, Interim, Outgoing};

/// The writing side of a client connection.
#[derive(Debug)]
pub(super) struct Writer {
    socket: Arc<Socket>,
    /// How many bytes were written, as a measure of progress.
    written: AtomicU64,
    /// Whether something waits for the client to take it.
    is_writing: AtomicBool,
    stop: watch::Receiver<Stop>,
}

impl Writer {
    pub(super) fn new(socket: Arc<Socket>, stop: watch::Receiver<Stop>) -> Self {
        Self { socket, written: AtomicU64::new(0), is_writing: AtomicBool::new(false), stop }
    }

    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    pub(super) fn is_writing(&self) -> bool {
        self.is_writing.load(Ordering::Relaxed)
    }

    /// Whether the answer that begins next is the last one.
    pub(super) fn is_draining(&self) -> bool {
        // A stop only ever goes on, so any news is one. To look at it would take a lock that every thread shares.
        self.stop.has_changed().unwrap_or(true)
    }

    fn poll_flush(&self, out: &mut Outgoing, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !out.is_empty() {
            let written = out.poll_write(cx, &self.socket);
            self.is_writing.store(written.is_pending(), Ordering::Relaxed);
            self.written.fetch_add(ready!(written)? as u64, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

/// The answer to one request, before it is written.
#[derive(Debug)]
pub(super) struct Reply<'a> {
    pub(super) writer: &'a Writer,
    pub(super) out: &'a mut Outgoing,
    pub(super) interim: Arc<Interim>,
    /// Whether HEAD was asked, so that no body may follow.
    pub(super) is_to_head: bool,
    /// Whether HTTP/1.0 was asked, which knows no chunks.
    pub(super) is_old: bool,
    /// Whether another request may follow on the connection.
    pub(super) keeps: bool,
}

/// What a head has beside its fields, in bytes, give or take some.
const OTHER_HEAD_BYTES: usize = 256;

/// For how much of a body room is made at once, in bytes.
const USUAL_BODY_BYTES: usize = 4 * 1024;

/// How the client learns where the body of an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delivery {
    /// By its length, or there is none.
    Plain,
    Chunked,
    /// By the end of the connection.
    UntilClose,
}

impl Reply<'_> {
    /// Passes on what the engine answered, and lets somebody hear of it before the client does. Says whether another request may follow.
    ///
    /// # Errors
    /// When the engine failed before the client saw anything of the answer.
    pub(super) async fn stream(
        &mut self,
        record: &mut Record,
        status: StatusCode,
        fields: &Fields,
        is_dated: bool,
        mut body: EngineBody<'_>,
        mut hears: impl FnMut(&[u8]),
    ) -> Result<bool, Refusal> {
        let (delivery, length) = match body.framing() {
            Framing::Length(bytes) => (Delivery::Plain, *bytes),
            Framing::Chunked(_) | Framing::UntilClose if self.is_old => (Delivery::UntilClose, 0),
            Framing::Chunked(_) | Framing::UntilClose => (Delivery::Chunked, 0),
        };
        let room = usize::try_from(length).unwrap_or(usize::MAX).min(USUAL_BODY_BYTES);
        self.keeps &= delivery != Delivery::UntilClose;
        self.out.text(self.interim.end());
        // What the client has seen cannot be taken back.
        let mut began = !self.out.is_empty();
        self.begin(status, fields.as_bytes(), is_dated, room);
        if delivery == Delivery::Chunked {
            self.out.text(b"Transfer-Encoding: chunked\r\n");
        }
        self.out.text(b"\r\n");
        let is_chunked = delivery == Delivery::Chunked;
        let mut ended = body.is_over() && !is_chunked;
        let mut failed = None;
        let passed = poll_fn(|cx| {
            loop {
                let mut is_silent = false;
                while !ended && !is_silent && failed.is_none() && !self.out.is_full() {
                    let out = &mut *self.out;
                    let read = body.poll_data(cx, |input, count| {
                        record.bytes_out += count as u64;
                        hears(input.get(..count).unwrap_or_default());
                        if is_chunked {
                            out.data_as_chunk(input, count);
                        } else {
                            out.data(input, count);
                        }
                    });
                    match read {
                        Poll::Ready(Some(Ok(()))) => ended = !is_chunked && body.is_over(),
                        Poll::Ready(Some(Err(error))) => failed = Some(error),
                        Poll::Ready(None) => {
                            ended = true;
                            if is_chunked {
                                self.out.last_chunk();
                            }
                        }
                        Poll::Pending => is_silent = true,
                    }
                }
                began |= failed.is_none() || record.bytes_out > 0;
                if began {
                    ready!(self.writer.poll_flush(self.out, cx)).map_err(|_| None)?;
                }
                if let Some(error) = failed.take() {
                    return Poll::Ready(Err(Some(error)));
                }
                if ended {
                    return Poll::Ready(Ok(()));
                }
                if is_silent {
                    // A silent stream holds no buffer.
                    self.out.release();
                    return Poll::Pending;
                }
            }
        });
        let passed: Result<(), Option<EngineError>> = passed.await;
        record.outcome = match &passed {
            Ok(()) => Outcome::Answered,
            Err(None | Some(EngineError::ClientBody)) => Outcome::Aborted,
            Err(Some(_)) => Outcome::EngineFailed,
        };
        match passed {
            Ok(()) => Ok(self.keeps),
            Err(None) => Ok(false),
            Err(Some(error)) if began => {
                record.failure = Some(with_sources(&error));
                Ok(false)
            }
            Err(Some(error)) => {
                // Nothing came, so the client can still be told.
                self.out.clear();
                Err(Refusal::Engine(error))
            }
        }
    }

    /// Gives an answer of our own. Says whether another request may follow.
    pub(super) async fn own(&mut self, status: StatusCode, body: &[u8]) -> bool {
        self.begin(status, b"Content-Type: application/json\r\n", false, body.len());
        self.out.write(format_args!("Content-Length: {}\r\n\r\n", body.len()));
        if !self.is_to_head {
            self.out.text(body);
        }
        let written = poll_fn(|cx| self.writer.poll_flush(self.out, cx)).await;
        written.is_ok() && self.keeps
    }

    /// The head behind which the connection leaves HTTP, with the reason phrase that the Engine uses.
    pub(super) fn hijack(&self, status: StatusCode, fields: &Fields) -> Bytes {
        let is_raw = fields.all("upgrade").next() == Some(b"tcp");
        let phrase = if is_raw { "UPGRADED" } else { phrase(status) };
        let mut head = [self.interim.end(), b"HTTP/1.1 "].concat();
        for part in status_line(&status, phrase) {
            head.extend_from_slice(part);
        }
        head.extend_from_slice(fields.as_bytes());
        head.extend_from_slice(b"\r\n");
        head.into()
    }

    /// Writes a head but for its last line, and makes room for so much of a body.
    fn begin(&mut self, status: StatusCode, fields: &[u8], is_dated: bool, body_bytes: usize) {
        self.keeps &= !self.writer.is_draining();
        self.out.reserve(fields.len() + OTHER_HEAD_BYTES + body_bytes);
        self.out.text(self.interim.end());
        // As Go's server answers.
        let version: &[u8] = if self.is_old { b"HTTP/1.0 " } else { b"HTTP/1.1 " };
        self.out.text(version);
        for part in status_line(&status, phrase(status)) {
            self.out.text(part);
        }
        self.out.text(fields);
        if !is_dated {
            date(|date| {
                for part in [b"Date: ", date, b"\r\n"] {
                    self.out.text(part);
                }
            });
        }
        if !self.keeps {
            self.out.text(b"Connection: close\r\n");
        } else if self.is_old {
            self.out.text(b"Connection: keep-alive\r\n");
        }
    }
}

/// Gives the date as RFC 9110 section 6.6.1 wants it to be said; it is put together once a second.
#[expect(clippy::disallowed_methods, reason = "nothing is decided by it")]
fn date(tell: impl FnOnce(&[u8])) {
    thread_local! {
        static LAST: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
    }
    let now = SystemTime::now();
    let second = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    LAST.with_borrow_mut(|(last, text)| {
        if *last != second || text.is_empty() {
            *last = second;
            *text = httpdate::fmt_http_date(now);
        }
        tell(text.as_bytes());
    });
}

fn phrase(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("Unknown")
}

/// A status line behind its version.
fn status_line<'a>(status: &'a StatusCode, phrase: &'a str) -> [&'a [u8]; 4] {
    [status.as_str().as_bytes(), b" ", phrase.as_bytes(), b"\r\n"]
}
