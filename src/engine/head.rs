//! Heads on the engine's socket: that of a request, written from judged parts, and that of its answer.
//!
//! Pure: bytes in, values or a reason out. What RFC 9112 leaves to interpretation in an answer is refused, as in a request.

use std::io::Write as _;
use std::mem::MaybeUninit;

use bytes::{Buf, BytesMut};
use http::StatusCode;

use super::error::EngineError;
use crate::request::Head;
use crate::request::fields::{Fields, is_hop_by_hop};
use crate::wire::{Framing, Reading, Sender, Unclear};

/// The longest head of an answer, in bytes.
pub const MAX_HEAD_BYTES: usize = 256 * 1024;
/// The most fields of one.
const MAX_FIELDS: usize = 100;

/// How a request tells its body's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLength {
    /// There is no body.
    Nothing,
    /// `Content-Length`.
    Exact(u64),
    /// `Transfer-Encoding: chunked`.
    Unknown,
}

/// A request head as it goes on the wire; `None` for a target that is no single word, which its type rules out.
pub fn request_head(head: &Head, body: BodyLength) -> Option<Vec<u8>> {
    let target = head.target.to_wire();
    if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let mut wire = Vec::with_capacity(512);
    for part in [
        head.method.as_str().as_bytes(),
        b" ",
        target.as_bytes(),
        b" HTTP/1.1\r\nHost: docker\r\n",
        head.fields.as_bytes(),
    ] {
        wire.extend_from_slice(part);
    }
    if let Some(upgrade) = head.upgrade {
        wire.extend_from_slice(b"Connection: Upgrade\r\nUpgrade: ");
        wire.extend_from_slice(upgrade.token().as_bytes());
        wire.extend_from_slice(b"\r\n");
    }
    match body {
        BodyLength::Nothing => {}
        BodyLength::Exact(bytes) => write!(wire, "Content-Length: {bytes}\r\n").ok()?,
        BodyLength::Unknown => wire.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
    }
    wire.extend_from_slice(b"\r\n");
    Some(wire)
}

/// The head of an answer.
#[derive(Debug)]
pub struct AnswerHead {
    /// What it says first.
    pub status: StatusCode,
    /// Its end-to-end fields.
    pub fields: Fields,
    /// What its `Upgrade` field says.
    pub upgrade: Option<Vec<u8>>,
    /// Whether it has a `Date`.
    pub is_dated: bool,
    /// How the end of its body is found.
    pub framing: Framing,
    /// Whether the connection may carry another request behind it.
    pub keeps: bool,
}

impl AnswerHead {
    /// Takes a head from the front of `input`, once all of it is there.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn take(input: &mut BytesMut, to_head_request: bool) -> Result<Option<Self>, EngineError> {
        let mut room = [const { MaybeUninit::uninit() }; MAX_FIELDS];
        let mut response = httparse::Response::new(&mut []);
        let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut response,
            input,
            &mut room,
        );
        let length = match parsed {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if input.len() < MAX_HEAD_BYTES => return Ok(None),
            Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
                return Err(EngineError::TooLarge);
            }
            Err(_) => return Err(MALFORMED),
        };
        let status = response.code.and_then(|code| StatusCode::from_u16(code).ok());
        let status = status.ok_or(MALFORMED)?;
        let has_no_body = to_head_request || matches!(status.as_u16(), 100..=199 | 204 | 304);
        let mut reading = Reading::new(Sender::Engine, response.version.unwrap_or_default());
        for field in response.headers.iter() {
            reading.note(field.name, field.value).map_err(unclear)?;
            if reading.has_too_many_options() {
                return Err(EngineError::TooLarge);
            }
        }
        // RFC 9110 section 8.6.
        let has_no_length = matches!(status.as_u16(), 100..=199 | 204);
        let mut fields = Fields::with_capacity(length);
        let mut is_dated = false;
        for field in response.headers.iter() {
            let is_left_out = if field.name.eq_ignore_ascii_case("content-length") {
                // It stays whatever the connection's options say, because the client finds the end of the body by it.
                has_no_length
            } else {
                is_hop_by_hop(field.name) || reading.says(field.name.as_bytes())
            };
            if is_left_out {
                continue;
            }
            if !fields.push(field.name, field.value) {
                return Err(MALFORMED);
            }
            is_dated |= field.name.eq_ignore_ascii_case("date");
        }
        let framing =
            if has_no_body { Framing::Length(0) } else { reading.framing().map_err(unclear)? };
        let keeps = reading.keeps(&framing);
        let upgrade = reading.upgrade().map(<[u8]>::to_vec);
        input.advance(length);
        Ok(Some(Self { status, fields, upgrade, is_dated, framing, keeps }))
    }
}

const MALFORMED: EngineError = EngineError::NotHttp("its head is malformed");

fn unclear(why: Unclear) -> EngineError {
    EngineError::NotHttp(match why {
        Unclear::Length => "its length is not a number",
        Unclear::Lengths => "more than one length",
        Unclear::Coding => "a transfer coding that is not `chunked`",
        Unclear::LengthAndCoding => "a length beside a transfer coding",
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::request::fields::MAX_CONNECTION_OPTIONS;
    use crate::request::{Method, RequestTarget};
    use crate::wire::framing::Chunk;

    fn head(bytes: &str) -> Result<Option<AnswerHead>, EngineError> {
        AnswerHead::take(&mut BytesMut::from(bytes), false)
    }

    #[track_caller]
    fn check(fields: &str, framing: Framing, keeps: bool) {
        let got = head(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n")).unwrap().unwrap();
        assert_eq!((got.framing, got.keeps), (framing, keeps), "{fields}");
    }

    #[test]
    fn the_head_says_how_the_body_ends() {
        check("Content-Length: 5\r\n", Framing::Length(5), true);
        check("Content-Length: 5\r\nConnection: close\r\n", Framing::Length(5), false);
        check("Transfer-Encoding: Chunked\r\n", Framing::Chunked(Chunk::Size), true);
        check("", Framing::UntilClose, false);
        for status in ["204 No Content", "304 Not Modified", "101 Switching Protocols"] {
            let got = head(&format!("HTTP/1.1 {status}\r\n\r\n")).unwrap().unwrap();
            assert!(got.framing.is_done(), "{status}");
        }
        let mut old = BytesMut::from("HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n");
        let old = AnswerHead::take(&mut old, true).unwrap().unwrap();
        assert!(old.framing.is_done() && !old.keeps);
        assert_eq!(old.fields.all("content-length").collect::<Vec<_>>(), [b"9"]);
    }

    #[track_caller]
    fn refused(text: &str, want: &str) {
        let got = head(text).unwrap_err().to_string();
        assert!(got.contains(want), "{text}: {got}");
    }

    #[test]
    fn what_has_two_readings_is_refused() {
        let answer = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        let number = "its length is not a number";
        for length in ["", "+5", "-1", "5, 5", "0x5", "99999999999999999999", "5 5"] {
            refused(&answer(&format!("Content-Length: {length}\r\n")), number);
        }
        let twice = "Content-Length: 5\r\nContent-Length: 5\r\n";
        refused(&answer(twice), "more than one length");
        let both = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n";
        refused(&answer(both), "a length beside a transfer coding");
        for coding in ["gzip, chunked", "identity", "", "chunked\r\nTransfer-Encoding: chunked"] {
            let coding = format!("Transfer-Encoding: {coding}\r\n");
            refused(&answer(&coding), "a transfer coding that is not `chunked`");
        }
        refused("HTTP/2.0 200 OK\r\n\r\n", "its head is malformed");
        refused("SSH-2.0-x", "its head is malformed");
        refused(&answer("A: b\0\r\n"), "its head is malformed");
        refused(&answer(&"A: b\r\n".repeat(MAX_FIELDS + 1)), "too large");
        refused(&format!("HTTP/1.1 200 {}", "x".repeat(MAX_HEAD_BYTES)), "too large");
        assert!(head("HTTP/1.1 200 OK\r\nA: b\r\n").unwrap().is_none());
    }

    #[test]
    fn what_belongs_to_the_connection_stays_here() {
        let text = "HTTP/1.1 101 X\r\nConnection: Upgrade, X-A\r\nUpgrade: tcp\r\nX-A: 1\r\nX-B: 2\r\nX-B: 3\r\nKeep-Alive: 5\r\n\r\nrest";
        let mut input = BytesMut::from(text);
        let head = AnswerHead::take(&mut input, false).unwrap().unwrap();
        assert_eq!(head.upgrade.unwrap(), b"tcp");
        assert_eq!(head.fields.as_bytes(), b"X-B: 2\r\nX-B: 3\r\n");
        assert_eq!(input, "rest");
        let text = "HTTP/1.1 200 OK\r\nConnection: content-length, date\r\nContent-Length: 4\r\nDate: x\r\n\r\nrest";
        let head = AnswerHead::take(&mut BytesMut::from(text), false).unwrap().unwrap();
        assert_eq!((head.fields.as_bytes(), head.is_dated), (&b"Content-Length: 4\r\n"[..], false));
        let many = ", a".repeat(MAX_CONNECTION_OPTIONS + 1);
        refused(&format!("HTTP/1.1 200 OK\r\nConnection: {many}\r\n\r\n"), "too large");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = AnswerHead::take(&mut BytesMut::from(&bytes[..]), false);
        }
    }

    #[test]
    fn a_request_is_written_from_its_parts() {
        let fields = [("X-Registry-Auth", "e30="), ("upgrade", "h2c"), ("host", "evil")];
        let fields = fields.map(|(name, value)| (name, value.as_bytes()));
        let target = RequestTarget::parse("/v1.41/containers/a/attach?x=%0d%0aA:b").unwrap();
        let head = Head::new(Method::Post, target, fields);
        let check = |body, want: &str| {
            let wire = request_head(&head, body).unwrap();
            assert_eq!(
                String::from_utf8(wire).unwrap(),
                format!(
                    "POST /v1.41/containers/a/attach?x=%0D%0AA%3Ab HTTP/1.1\r\nHost: docker\r\nX-Registry-Auth: e30=\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n{want}\r\n"
                )
            );
        };
        check(BodyLength::Nothing, "");
        check(BodyLength::Exact(7), "Content-Length: 7\r\n");
        check(BodyLength::Unknown, "Transfer-Encoding: chunked\r\n");
    }
}
