//! The gate: what a client's bytes must look like before the HTTP library sees them.
//!
//! hyper is lenient where a proxy must not be: it drops a `Content-Length` beside a `Transfer-Encoding`, takes bare line feeds, sends absolute
//! targets on, cuts fragments off, and answers what it cannot read with an empty 400. The gate sits beneath it, reads each head as a
//! whole, refuses what RFC 9112 leaves to interpretation, and hands over exactly one message at a time; bytes behind a message stay
//! here until the next one is wanted, or until the connection leaves HTTP. The target it keeps to itself: hyper gets `/` in its place.
//! Beyond that it only ever refuses: framing stays hyper's business, and where the two could disagree the gate would stop a message,
//! never add one.

use std::io;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::bounds::Limit;
use crate::config::Limits;
use crate::request::{Method, RequestTarget, TargetError};
use crate::socket::{SharedSocket, Socket};

/// The longest target that can be sent on, in bytes; one less than what the HTTP library's type for it holds.
const MAX_TARGET_BYTES: usize = u16::MAX as usize - 1;
/// The most fields that a limit on them can allow.
const MOST_FIELDS: usize = 512;
/// How long a new connection may stay silent before its first request.
const FIRST_BYTE_DEADLINE: Duration = Duration::from_mins(1);
/// The longest chunk-size line, in bytes; extensions are dropped, so nobody needs long ones.
const MAX_CHUNK_LINE_BYTES: usize = 1024;
/// The most trailer bytes of a chunked body; they are dropped.
const MAX_TRAILER_BYTES: usize = 8 * 1024;
const READ_BYTES: usize = 4 * 1024;

/// A client connection as the HTTP library sees it.
#[derive(Debug)]
pub struct Gate {
    socket: SharedSocket,
    /// Bytes that were read and not handed over.
    pending: BytesMut,
    phase: Phase,
    shared: Arc<GateShared>,
    limits: Limits,
    deadline: Pin<Box<Sleep>>,
    /// Whether the current deadline is the one for a head that has begun.
    head_begun: bool,
    heads: u64,
}

#[derive(Debug)]
enum Phase {
    /// Collecting a head; so many bytes of it were searched for its end.
    Head { searched: usize },
    /// Handing over a checked head, then its body.
    Deliver { left: usize, body: Framing },
    /// Handing over a body.
    Body(Framing),
    /// Refused: the library reads the end of the stream.
    Refused,
}

/// How the end of a body is found, RFC 9112 section 6.3.
#[derive(Debug)]
enum Framing {
    Length(u64),
    Chunked(Chunks),
}

/// What the gate and the rest of the connection tell each other.
#[derive(Debug, Default)]
pub struct GateShared {
    state: Mutex<State>,
    written: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    target: Option<RequestTarget>,
    refusal: Option<Refused>,
    unflushed: bool,
}

/// Why the gate refused a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What to answer.
    pub status: StatusCode,
    /// What was wrong and what to do.
    pub message: String,
    /// The method, where the head got that far.
    pub method: Option<Method>,
    /// The target as it was sent, where the head got that far.
    pub raw_target: Option<String>,
    /// The limit that was reached, where one was.
    pub limit: Option<Limit>,
}

impl GateShared {
    /// The target of the head that was handed over last.
    pub fn take_target(&self) -> Option<RequestTarget> {
        self.lock().target.take()
    }

    /// Why the connection's last message was refused, once.
    pub fn take_refusal(&self) -> Option<Refused> {
        self.lock().refusal.take()
    }

    /// Whether everything the library wrote has gone to the kernel.
    pub fn is_flushed(&self) -> bool {
        !self.lock().unflushed
    }

    /// How many bytes were written to the client, as a measure of progress.
    pub fn bytes_written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    fn wrote(&self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &result {
            self.written.fetch_add(*bytes as u64, Ordering::Relaxed);
        }
        result
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // The state is plain data, right whoever panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate {
    /// A gate in front of a client's socket.
    pub fn new(socket: Arc<Socket>, limits: &Limits) -> (Self, Arc<GateShared>) {
        let shared = Arc::new(GateShared::default());
        let gate = Self {
            socket: SharedSocket(socket),
            pending: BytesMut::new(),
            phase: Phase::Head { searched: 0 },
            shared: Arc::clone(&shared),
            limits: *limits,
            deadline: Box::pin(tokio::time::sleep(FIRST_BYTE_DEADLINE)),
            head_begun: false,
            heads: 0,
        };
        (gate, shared)
    }

    /// What the client sent behind the last message: the first bytes of what follows HTTP.
    pub fn into_pending(self) -> Bytes {
        self.pending.freeze()
    }

    fn refuse(&mut self, refused: Refused) {
        self.phase = Phase::Refused;
        self.pending.clear();
        self.shared.lock().refusal = Some(refused);
    }

    /// Reads until a head is complete and checked, the stream ends, or the head is refused.
    fn poll_head(&mut self, cx: &mut Context<'_>, mut searched: usize) -> Poll<io::Result<()>> {
        loop {
            // RFC 9112 section 2.2: a server should ignore an empty line in front of a request line.
            while searched == 0 && self.pending.starts_with(b"\r\n") {
                self.pending.advance(2);
            }
            if let Some(end) = end_of_head(&self.pending, searched) {
                match check_head(self.pending.get(..end).unwrap_or_default(), &self.limits) {
                    Ok(head) => {
                        self.shared.lock().target = Some(head.target);
                        let left = blank_target(&mut self.pending, end, head.target_bytes);
                        self.phase = Phase::Deliver { left, body: head.framing };
                        self.heads += 1;
                        self.head_begun = false;
                    }
                    Err(refused) => self.refuse(refused),
                }
                return Poll::Ready(Ok(()));
            }
            searched = self.pending.len();
            self.phase = Phase::Head { searched };
            if searched >= self.limits.head_bytes {
                self.refuse(Refused::at(Limit::HeadBytes, &self.limits));
                return Poll::Ready(Ok(()));
            }
            if searched > 0 && !self.head_begun {
                self.head_begun = true;
                self.deadline.as_mut().reset(Instant::now() + self.limits.head_timeout);
            }
            let room = READ_BYTES.min(self.limits.head_bytes - searched);
            match self.socket.0.poll_read_more(cx, &mut self.pending, room) {
                Poll::Ready(Ok(0)) if searched > 0 => {
                    let message =
                        "the connection ended inside a request head; send it whole".to_owned();
                    self.refuse(Refused::new(StatusCode::BAD_REQUEST, message));
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Ok(0)) => {
                    self.phase = Phase::Refused;
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    if searched == 0 {
                        // A silent connection holds no buffer.
                        self.pending = BytesMut::new();
                    }
                    if self.head_begun || self.heads == 0 {
                        ready!(self.deadline.as_mut().poll(cx));
                        if self.head_begun {
                            self.refuse(Refused::at(Limit::HeadTime, &self.limits));
                        } else {
                            self.phase = Phase::Refused;
                        }
                        return Poll::Ready(Ok(()));
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    /// Hands over body bytes, and puts back what belongs to the next message.
    fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        framing: &mut Framing,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let most = match framing {
            Framing::Length(left) => {
                usize::try_from(*left).unwrap_or(usize::MAX).min(buf.remaining())
            }
            Framing::Chunked(_) => buf.remaining(),
        };
        if self.pending.is_empty() {
            ready!(self.socket.0.poll_read_into(cx, &mut (&mut *buf).limit(most)))?;
        } else {
            let count = most.min(self.pending.len());
            buf.put_slice(self.pending.get(..count).unwrap_or_default());
            self.pending.advance(count);
        }
        let fresh = buf.filled().get(before..).unwrap_or_default();
        match framing {
            Framing::Length(left) => *left = left.saturating_sub(fresh.len() as u64),
            Framing::Chunked(chunks) => match chunks.advance(fresh) {
                Ok(used) => {
                    let surplus = fresh.get(used..).unwrap_or_default();
                    if !surplus.is_empty() {
                        let mut pending =
                            BytesMut::with_capacity(surplus.len() + self.pending.len());
                        pending.extend_from_slice(surplus);
                        pending.extend_from_slice(&self.pending);
                        self.pending = pending;
                        buf.set_filled(before + used);
                    }
                }
                Err(message) => {
                    buf.set_filled(before);
                    // The head was passed on already, so the library must see a failure, not an end.
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, message)));
                }
            },
        }
        Poll::Ready(Ok(()))
    }
}

impl Framing {
    fn is_done(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunks) => chunks.state == ChunkState::Done,
        }
    }
}

impl AsyncRead for Gate {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            match std::mem::replace(&mut this.phase, Phase::Refused) {
                Phase::Head { searched } => ready!({
                    this.phase = Phase::Head { searched };
                    this.poll_head(cx, searched)
                })?,
                Phase::Deliver { left, body } => {
                    let count = left.min(buf.remaining()).min(this.pending.len());
                    buf.put_slice(this.pending.get(..count).unwrap_or_default());
                    this.pending.advance(count);
                    if this.pending.is_empty() {
                        // The answer may be a stream, and a silent one holds no buffer.
                        this.pending = BytesMut::new();
                    }
                    let left = left - count;
                    this.phase =
                        if left > 0 { Phase::Deliver { left, body } } else { Phase::Body(body) };
                    return Poll::Ready(Ok(()));
                }
                Phase::Body(framing) if framing.is_done() => {
                    this.phase = Phase::Head { searched: 0 }
                }
                Phase::Body(mut framing) => {
                    let result = this.poll_body(cx, &mut framing, buf);
                    this.phase = Phase::Body(framing);
                    return result;
                }
                Phase::Refused => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl AsyncWrite for Gate {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.shared.lock().unflushed = true;
        let result = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.shared.wrote(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.shared.lock().unflushed = true;
        let result = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.shared.wrote(result)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes the socket once its own buffer is empty; that is what the hand-over waits for.
        self.shared.lock().unflushed = false;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The connection's owner may still have a refusal to write; it ends the direction itself.
        Poll::Ready(Ok(()))
    }
}

impl Refused {
    fn new(status: StatusCode, message: String) -> Self {
        Self { status, message, method: None, raw_target: None, limit: None }
    }

    fn at(limit: Limit, limits: &Limits) -> Self {
        Self { limit: Some(limit), ..Self::new(limit.status(), limit.message(limits)) }
    }

    fn bad(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message.to_owned())
    }
}

struct CheckedHead {
    target: RequestTarget,
    /// Where it stood.
    target_bytes: Range<usize>,
    framing: Framing,
}

/// Where the head ends, if its empty line is there; a bare line feed ends a line here too, so that it is found and refused.
fn end_of_head(bytes: &[u8], searched: usize) -> Option<usize> {
    let from = searched.saturating_sub(3);
    let ends = memchr::memchr_iter(b'\n', bytes.get(from..)?);
    ends.map(|end| from + end + 1).find_map(|next| match bytes.get(next..)? {
        [b'\n', ..] => Some(next + 1),
        [b'\r', b'\n', ..] => Some(next + 2),
        _ => None,
    })
}

fn check_head(head: &[u8], limits: &Limits) -> Result<CheckedHead, Refused> {
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let fields = fields.get_mut(..limits.head_fields).unwrap_or_default();
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(head, fields) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Ok(_) => {
            return Err(Refused::bad(
                "the request head ends before its end; send lines that end in CR LF",
            ));
        }
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Refused::at(Limit::HeadFields, limits));
        }
        Err(httparse::Error::Version) => {
            return Err(Refused::bad(
                "the request line names no HTTP/1.1; speak HTTP/1.1 without TLS",
            ));
        }
        Err(error) => {
            return Err(Refused::bad(&format!(
                "the request head is malformed ({error}); send it as RFC 9112 says"
            )));
        }
    }
    let named = |mut refused: Refused| {
        refused.method = request.method.and_then(Method::parse);
        refused.raw_target = request.path.map(str::to_owned);
        refused
    };
    if has_bare_line_end(head) {
        return Err(named(Refused::bad(
            "the request head holds a bare CR or LF; end lines in CR LF",
        )));
    }
    let minor = request.version.unwrap_or_default();
    let framing = check_fields(request.headers, minor).map_err(named)?;
    if request.method.and_then(Method::parse).is_none() {
        let message = "the method is none the Engine API has; methods are written in capitals, for example `GET`".to_owned();
        return Err(named(Refused::new(StatusCode::METHOD_NOT_ALLOWED, message)));
    }
    let raw_target = request.path.unwrap_or_default();
    let target = RequestTarget::parse(raw_target)
        .map_err(|error: TargetError| named(Refused::bad(&error.to_string())))?;
    // Encoding makes three bytes of one at most.
    if raw_target.len() > MAX_TARGET_BYTES / 3 && target.to_wire().len() > MAX_TARGET_BYTES {
        let message =
            format!("the target is longer than {MAX_TARGET_BYTES} bytes; send a shorter one");
        return Err(named(Refused::new(StatusCode::URI_TOO_LONG, message)));
    }
    // One space ends the method, and nothing in front of the method holds one.
    let start = head.iter().position(|&byte| byte == b' ').map_or(0, |space| space + 1);
    Ok(CheckedHead { target, target_bytes: start..start + raw_target.len(), framing })
}

/// Writes `/` in place of the target and says how long the head is then. The target was read and travels beside the head; the HTTP library
/// would read it again, and answer an empty 400 to bytes that Go's takes, such as the quotes of `?filters={"type":["container"]}`.
fn blank_target(pending: &mut BytesMut, head_end: usize, target: Range<usize>) -> usize {
    let removed = target.len().saturating_sub(1);
    if let Some(bytes) = pending.get_mut(..target.end) {
        bytes.copy_within(..target.start, removed);
        if let Some(last) = bytes.last_mut() {
            *last = b'/';
        }
        pending.advance(removed);
    }
    head_end - removed
}

fn has_bare_line_end(head: &[u8]) -> bool {
    memchr::memchr2_iter(b'\r', b'\n', head).any(|at| match head.get(at) {
        Some(b'\r') => head.get(at + 1).is_some_and(|next| *next != b'\n'),
        _ => at.checked_sub(1).and_then(|before| head.get(before)) != Some(&b'\r'),
    })
}

/// The fields that say how long the message is, and the ones that two readers may weigh differently.
fn check_fields(fields: &[httparse::Header<'_>], minor: u8) -> Result<Framing, Refused> {
    let mut length = None;
    let mut chunked = false;
    let mut hosts = 0;
    for field in fields {
        if field.name.is_empty() {
            return Err(Refused::bad("a field has no name; send it as RFC 9110 section 5.1 says"));
        }
        if field.name.eq_ignore_ascii_case("content-length") {
            let text = std::str::from_utf8(field.value).unwrap_or_default();
            let plain = !text.is_empty()
                && text.len() <= 19
                && text.bytes().all(|byte| byte.is_ascii_digit());
            let value = text.parse::<u64>().ok().filter(|_| plain);
            if length
                .replace(
                    value.ok_or_else(|| {
                        Refused::bad("the Content-Length is not a number; send one")
                    })?,
                )
                .is_some()
            {
                return Err(Refused::bad("there is more than one Content-Length; send one"));
            }
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            if chunked || minor == 0 || !field.value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                return Err(Refused::bad(
                    "the Transfer-Encoding is not exactly one `chunked` on HTTP/1.1; send the body plainly",
                ));
            }
            chunked = true;
        } else if field.name.eq_ignore_ascii_case("host") {
            hosts += 1;
        } else if field.name.eq_ignore_ascii_case("expect")
            && !field.value.trim_ascii().eq_ignore_ascii_case(b"100-continue")
        {
            let message = "the only expectation understood is `100-continue`".to_owned();
            return Err(Refused::new(StatusCode::EXPECTATION_FAILED, message));
        }
    }
    if hosts > 1 || (hosts == 0 && minor > 0) {
        return Err(Refused::bad("the request needs exactly one Host field; send one"));
    }
    match (length, chunked) {
        (Some(_), true) => Err(Refused::bad(
            "there is a Content-Length beside a Transfer-Encoding; send one of them",
        )),
        (Some(length), false) => Ok(Framing::Length(length)),
        (None, true) => Ok(Framing::Chunked(Chunks::default())),
        (None, false) => Ok(Framing::Length(0)),
    }
}

/// Follows chunked framing (RFC 9112 section 7.1) far enough to know where the body ends.
#[derive(Debug, Default)]
struct Chunks {
    state: ChunkState,
    line_bytes: usize,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum ChunkState {
    /// Inside a size line; the size so far, and whether its digits are over.
    #[default]
    Start,
    Size(u64),
    Extension(u64),
    SizeLf(u64),
    Data(u64),
    DataCr,
    DataLf,
    /// Behind the last chunk: at the start of a trailer line, or inside one.
    TrailerStart,
    Trailer,
    TrailerLf,
    EndLf,
    Done,
}

impl Chunks {
    /// Goes over `bytes` and says how many of them belong to this body.
    fn advance(&mut self, bytes: &[u8]) -> Result<usize, &'static str> {
        const BROKEN: &str = "broken chunked framing";
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if let ChunkState::Data(left) = self.state {
                let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                at += here;
                let left = left - here as u64;
                self.state = if left == 0 { ChunkState::DataCr } else { ChunkState::Data(left) };
                continue;
            }
            if self.state == ChunkState::Done {
                break;
            }
            self.line_bytes += 1;
            self.state = match (&self.state, byte) {
                (ChunkState::Start, _) => ChunkState::Size(hex_digit(byte).ok_or(BROKEN)?),
                (ChunkState::Size(size) | ChunkState::Extension(size), b'\r') => {
                    ChunkState::SizeLf(*size)
                }
                (ChunkState::Size(size), b';' | b' ' | b'\t') => ChunkState::Extension(*size),
                (ChunkState::Size(size), _) => {
                    let digit = hex_digit(byte).ok_or(BROKEN)?;
                    ChunkState::Size(
                        size.checked_mul(16)
                            .and_then(|size| size.checked_add(digit))
                            .ok_or(BROKEN)?,
                    )
                }
                (
                    ChunkState::Extension(_) | ChunkState::TrailerStart | ChunkState::Trailer,
                    b'\n',
                ) => return Err(BROKEN),
                (ChunkState::Extension(size), _) => ChunkState::Extension(*size),
                (ChunkState::SizeLf(0) | ChunkState::TrailerLf, b'\n') => ChunkState::TrailerStart,
                (ChunkState::SizeLf(size), b'\n') => ChunkState::Data(*size),
                (ChunkState::DataCr, b'\r') => ChunkState::DataLf,
                (ChunkState::DataLf, b'\n') => ChunkState::Start,
                (ChunkState::TrailerStart, b'\r') => ChunkState::EndLf,
                (ChunkState::Trailer, b'\r') => ChunkState::TrailerLf,
                (ChunkState::TrailerStart | ChunkState::Trailer, _) => ChunkState::Trailer,
                (ChunkState::EndLf, b'\n') => ChunkState::Done,
                _ => return Err(BROKEN),
            };
            at += 1;
            let most = match self.state {
                ChunkState::Start | ChunkState::Data(_) => {
                    self.line_bytes = 0;
                    MAX_CHUNK_LINE_BYTES
                }
                ChunkState::TrailerStart
                | ChunkState::Trailer
                | ChunkState::TrailerLf
                | ChunkState::EndLf => MAX_TRAILER_BYTES,
                _ => MAX_CHUNK_LINE_BYTES,
            };
            if self.line_bytes > most {
                return Err("a chunk line or the trailers are too long");
            }
        }
        Ok(at)
    }
}

fn hex_digit(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As the definitions say it, byte by byte.
    fn slow_end_of_head(bytes: &[u8]) -> Option<usize> {
        (0..bytes.len()).find_map(|at| match bytes.get(at..)? {
            [b'\n', b'\n', ..] => Some(at + 2),
            [b'\n', b'\r', b'\n', ..] => Some(at + 3),
            _ => None,
        })
    }

    fn slow_has_bare_line_end(head: &[u8]) -> bool {
        head.windows(2).any(|pair| (pair[0] == b'\r') != (pair[1] == b'\n'))
            || head.first() == Some(&b'\n')
    }

    proptest! {
        #[test]
        fn line_ends_are_found_as_defined(text in "[a\r\n]{0,20}", searched in 0_usize..20) {
            let bytes = text.as_bytes();
            prop_assert_eq!(has_bare_line_end(bytes), slow_has_bare_line_end(bytes));
            // What was searched before held no end.
            let searched = searched.min(bytes.len());
            if slow_end_of_head(&bytes[..searched]).is_none() {
                prop_assert_eq!(end_of_head(bytes, searched), slow_end_of_head(bytes));
            }
        }
    }
}
