//! The gate: reads what a client sends, one message at a time.
//!
//! A proxy that decides must not guess, and a refusal must say why. So each head is read as a whole, and what RFC 9112 leaves to
//! interpretation is refused: a `Content-Length` beside a `Transfer-Encoding`, bare line feeds, absolute targets, fragments. Of what was
//! read only values are left: method, target, end-to-end fields, and how the body ends. Bytes behind a message stay here until the next
//! one is wanted, or until the connection leaves HTTP.

use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::StatusCode;
use tokio::time::{Instant, Sleep};

use super::refusal::{Refusal, Unreadable};
use crate::bounds::Limit;
use crate::bounds::Limits;
use crate::bounds::memory::{Purse, Taken, Use};
use crate::request::fields::{MAX_CONNECTION_OPTIONS, is_token_byte};
use crate::request::{Head, Method, RequestTarget, TargetError};
use crate::socket::Socket;
use crate::wire::{ClientBody, Framing, Incoming, Interim, Reading, Sender, Unclear};

/// The longest target that can be sent on, in bytes.
const MAX_TARGET_BYTES: usize = u16::MAX as usize - 1;
/// The most fields that a limit on them can allow.
const MOST_FIELDS: usize = 512;
/// The longest head whose memory is not counted, in bytes.
const FREE_HEAD_BYTES: usize = 8 * 1024;
/// How often what stands in a head is there while it is answered: as it was read, as it was understood, and for the log.
const HEAD_COPIES: usize = 3;
/// How long a new connection may stay silent before its first request.
const FIRST_BYTE_DEADLINE: Duration = Duration::from_mins(1);

/// The reading side of a client connection.
#[derive(Debug)]
pub struct Gate {
    incoming: Incoming,
    limits: Limits,
    /// How the end of the current message's body is found; done between messages.
    body: Framing,
    /// What was read and holds no end of a head, in bytes.
    searched: usize,
    /// Whether its request line was seen.
    has_line: bool,
    deadline: Pin<Box<Sleep>>,
    /// Whether the deadline is the one for a head that has begun.
    head_begun: bool,
    is_first: bool,
    interim: Arc<Interim>,
    /// The memory of a long head, and of what is made of it while it is answered.
    memory: Option<Taken>,
    waiting: Option<Wait>,
}

/// A wait for memory.
struct Wait(Pin<Box<dyn Future<Output = Result<Taken, Limit>> + Send + Sync>>);

impl std::fmt::Debug for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wait")
    }
}

/// What comes next on a connection.
#[derive(Debug)]
pub enum Next {
    /// A message that has one reading.
    Request(Request),
    /// One that does not, or that takes more than it may.
    Refused(Box<Refused>),
    /// Nothing.
    End,
}

/// What a message says in front of its body.
#[derive(Debug)]
pub struct Request {
    /// What is asked.
    pub head: Head,
    /// Whether it speaks HTTP/1.0.
    pub is_old: bool,
    /// Whether the client wants to send another behind it.
    pub keeps: bool,
    /// Whether the client asks to leave HTTP, as it may or not.
    pub wants_upgrade: bool,
}

/// A message that the gate stopped.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// The method, where the head got that far.
    pub method: Option<Method>,
    /// The target as it was sent, where the head got that far.
    pub raw_target: Option<String>,
}

impl Gate {
    /// A gate in front of a client's socket, which takes this client's memory.
    pub fn new(socket: Arc<Socket>, limits: &Limits, purse: Option<Purse>) -> Self {
        Self {
            incoming: Incoming::new(socket, purse),
            limits: *limits,
            body: Framing::Length(0),
            searched: 0,
            has_line: false,
            deadline: Box::pin(tokio::time::sleep(FIRST_BYTE_DEADLINE)),
            head_begun: false,
            is_first: true,
            interim: Arc::default(),
            memory: None,
            waiting: None,
        }
    }

    /// Whether nothing has come of the next message.
    pub fn is_idle(&self) -> bool {
        self.body.is_done() && self.incoming.input.is_empty()
    }

    /// The interim answer that belongs to the current message.
    pub fn interim(&self) -> Arc<Interim> {
        Arc::clone(&self.interim)
    }

    /// The current message's body, if it has one that was not read to its end.
    pub fn body(&mut self) -> Option<ClientBody<'_>> {
        let Self { incoming, body, interim, .. } = self;
        (!body.is_done()).then(|| ClientBody::new(incoming, body, interim))
    }

    /// What the client sent behind the last message: the first bytes of what follows HTTP; and the memory of that message, if it is long.
    pub fn into_rest(self) -> (Bytes, Option<Taken>) {
        (self.incoming.input.freeze(), self.memory)
    }

    /// Waits until a head that is longer than most may go on.
    fn poll_memory(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Limit>> {
        let Some(purse) = self.incoming.purse() else { return Poll::Ready(Ok(())) };
        let bytes = self.limits.head_bytes * HEAD_COPIES;
        let waiting = self.waiting.get_or_insert_with(|| {
            let purse = purse.clone();
            Wait(Box::pin(async move { purse.take(Use::Head, bytes).await }))
        });
        if let Poll::Ready(taken) = waiting.0.as_mut().poll(cx) {
            self.waiting = None;
            self.memory = Some(taken?);
            return Poll::Ready(Ok(()));
        }
        ready!(self.deadline.as_mut().poll(cx));
        Poll::Ready(Err(purse.why_not(Use::Head, bytes)))
    }

    /// Reads until the next head is complete and checked, the stream ends, or the head is refused; nothing is read behind a message
    /// whose body was not read to its end.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        if !self.body.is_done() {
            return Poll::Ready(Next::End);
        }
        let refuse = |refused| Poll::Ready(Next::Refused(Box::new(refused)));
        if self.searched == 0 {
            // The last message was answered.
            self.memory = None;
            self.incoming.rest();
        }
        loop {
            let input = &mut self.incoming.input;
            // RFC 9112 section 2.2: a server should ignore an empty line in front of a request line.
            while self.searched == 0 && input.starts_with(b"\r\n") {
                input.advance(2);
            }
            let most = self.limits.head_bytes;
            let end = end_of_head(input, self.searched);
            if let Some(end) = end.filter(|end| *end <= most) {
                let checked = check_head(input.get(..end).unwrap_or_default(), &self.limits);
                let (request, fields) = match checked {
                    Ok(checked) => checked,
                    Err(refused) => {
                        let other = has_request_line(input).err();
                        return refuse(other.map_or(refused, Refused::bad));
                    }
                };
                input.advance(end);
                if end > FREE_HEAD_BYTES && input.is_empty() {
                    *input = BytesMut::new();
                }
                if let Some(memory) = &mut self.memory {
                    memory.shrink(end * HEAD_COPIES);
                }
                self.body = fields.framing;
                self.searched = 0;
                self.has_line = false;
                self.head_begun = false;
                self.is_first = false;
                self.interim.reset(fields.expects_interim && !self.body.is_done());
                return Poll::Ready(Next::Request(request));
            }
            if !self.has_line {
                match has_request_line(input) {
                    Ok(has_line) => self.has_line = has_line,
                    Err(message) => return refuse(Refused::bad(message)),
                }
            }
            self.searched = input.len();
            if self.searched >= most {
                return refuse(Limit::HeadBytes.into());
            }
            if self.searched > 0 && !self.head_begun {
                self.head_begun = true;
                self.deadline.as_mut().reset(Instant::now() + self.limits.head_timeout);
            }
            if self.searched > FREE_HEAD_BYTES
                && self.memory.is_none()
                && let Err(limit) = ready!(self.poll_memory(cx))
            {
                return refuse(limit.into());
            }
            match self.incoming.poll_fill(cx) {
                Poll::Ready(Ok(0)) if self.searched > 0 => {
                    let message = "the connection ended inside a request head; send it whole";
                    return refuse(Refused::bad(message));
                }
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Next::End),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending if self.head_begun => {
                    ready!(self.deadline.as_mut().poll(cx));
                    return refuse(Limit::HeadTime.into());
                }
                Poll::Pending if self.is_first => {
                    ready!(self.deadline.as_mut().poll(cx));
                    return Poll::Ready(Next::End);
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Refused {
    fn new(status: StatusCode, message: String) -> Self {
        Refusal::Gate(Unreadable { status, message }).into()
    }

    fn bad(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message.to_owned())
    }

    fn unclear(why: Unclear) -> Self {
        Self::bad(match why {
            Unclear::Length => "the Content-Length is not a number; send one",
            Unclear::Lengths => "there is more than one Content-Length; send one",
            Unclear::Coding => {
                "the Transfer-Encoding is not exactly one `chunked` on HTTP/1.1; send the body plainly"
            }
            Unclear::LengthAndCoding => {
                "there is a Content-Length beside a Transfer-Encoding; send one of them"
            }
        })
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, method: None, raw_target: None }
    }
}

impl From<Limit> for Refused {
    fn from(limit: Limit) -> Self {
        Refusal::from(limit).into()
    }
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

/// Whether the request line is whole and is one.
///
/// # Errors
/// Why no request can come of what was read, also if that shows before its head is complete: somebody who speaks another protocol would
/// wait for an answer.
fn has_request_line(mut input: &[u8]) -> Result<bool, &'static str> {
    /// The type of a TLS record that begins a handshake, RFC 8446 section 5.1.
    const TLS_HANDSHAKE: u8 = 0x16;
    while let Some(behind) = input.strip_prefix(b"\r\n") {
        input = behind;
    }
    match input {
        [] | [b'\r'] => return Ok(false),
        [TLS_HANDSHAKE, ..] => {
            return Err(
                "this port speaks HTTP, and the client began with TLS; use `tcp://` or `http://` without TLS: unset DOCKER_TLS and DOCKER_TLS_VERIFY, and leave out `--tls` and `--tlsverify`",
            );
        }
        [b'P', b'R', b'I', b' ', b'*', ..] => {
            return Err(
                "this port speaks HTTP/1.1, and the client began with HTTP/2; use HTTP/1.1",
            );
        }
        [b'S', b'S', b'H', b'-', ..] => {
            return Err(
                "this port speaks HTTP, and the client began with SSH; use `tcp://` in place of `ssh://`",
            );
        }
        [first, ..] if !is_token_byte(*first) => {
            return Err(
                "this port speaks HTTP, and the client began with something else; use HTTP/1.1",
            );
        }
        _ => {}
    }
    let Some(end) = memchr::memchr(b'\n', input) else { return Ok(false) };
    let line = input.get(..end).unwrap_or_default();
    let mut words = line.strip_suffix(b"\r").unwrap_or(line).split(|byte| *byte == b' ');
    let version = words.nth(2).unwrap_or_default();
    if !version.starts_with(b"HTTP/") || words.next().is_some() {
        return Err(
            "the first line is no request line; send one, for example `GET /_ping HTTP/1.1`",
        );
    }
    Ok(true)
}

fn check_head(head: &[u8], limits: &Limits) -> Result<(Request, CheckedFields), Refused> {
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
            return Err(Limit::HeadFields.into());
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
    let checked = check_fields(request.headers, minor).map_err(named)?;
    let Some(method) = request.method.and_then(Method::parse) else {
        let message = "the method is none the Engine API has; methods are written in capitals, for example `GET`".to_owned();
        return Err(named(Refused::new(StatusCode::METHOD_NOT_ALLOWED, message)));
    };
    let raw_target = request.path.unwrap_or_default();
    let target = RequestTarget::parse_for(method, raw_target)
        .map_err(|error: TargetError| named(Refused::bad(&error.to_string())))?;
    // Encoding makes three bytes of one at most.
    if raw_target.len() > MAX_TARGET_BYTES / 3 && target.to_wire().len() > MAX_TARGET_BYTES {
        let message =
            format!("the target is longer than {MAX_TARGET_BYTES} bytes; send a shorter one");
        return Err(named(Refused::new(StatusCode::URI_TOO_LONG, message)));
    }
    let fields = request.headers.iter().map(|field| (field.name, field.value));
    let request = Request {
        head: Head::new(method, target, fields),
        is_old: minor == 0,
        keeps: checked.keeps,
        wants_upgrade: checked.wants_upgrade,
    };
    Ok((request, checked))
}

fn has_bare_line_end(head: &[u8]) -> bool {
    memchr::memchr2_iter(b'\r', b'\n', head).any(|at| match head.get(at) {
        Some(b'\r') => head.get(at + 1).is_some_and(|next| *next != b'\n'),
        _ => at.checked_sub(1).and_then(|before| head.get(before)) != Some(&b'\r'),
    })
}

/// What the fields say of the message and the connection.
struct CheckedFields {
    framing: Framing,
    keeps: bool,
    wants_upgrade: bool,
    expects_interim: bool,
}

/// The fields that say how long the message is and how the connection goes on, and the ones that two readers may weigh differently.
fn check_fields(fields: &[httparse::Header<'_>], minor: u8) -> Result<CheckedFields, Refused> {
    let mut reading = Reading::new(Sender::Client, minor);
    let mut hosts = 0;
    let mut expects_interim = false;
    for field in fields {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        if field.name.is_empty() {
            return Err(Refused::bad("a field has no name; send it as RFC 9110 section 5.1 says"));
        }
        reading.note(field.name, field.value).map_err(Refused::unclear)?;
        if is("host") {
            hosts += 1;
        } else if is("expect") {
            if !field.value.trim_ascii().eq_ignore_ascii_case(b"100-continue") {
                let message = "the only expectation understood is `100-continue`".to_owned();
                return Err(Refused::new(StatusCode::EXPECTATION_FAILED, message));
            }
            // RFC 9110 section 10.1.1: HTTP/1.0 has no interim answers.
            expects_interim = minor > 0;
        }
    }
    if hosts > 1 || (hosts == 0 && minor > 0) {
        return Err(Refused::bad("the request needs exactly one Host field; send one"));
    }
    let framing = reading.framing().map_err(Refused::unclear)?;
    if reading.has_too_many_options() {
        return Err(Refused::bad(&format!(
            "the Connection field has more than {MAX_CONNECTION_OPTIONS} options; send fewer"
        )));
    }
    let keeps = reading.keeps(&framing);
    let wants_upgrade = reading.upgrade().is_some();
    Ok(CheckedFields { framing, keeps, wants_upgrade, expects_interim })
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
