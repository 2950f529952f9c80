//! What stands on the engine's socket: the head of a request, written from judged parts, and the head and the framing of its answer.
//!
//! Pure: bytes in, values or a reason out. What RFC 9112 leaves to interpretation in an answer is refused, as in a request.

use std::mem::MaybeUninit;

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::EngineError;
use crate::request::{Head, is_hop_by_hop, write_field};

/// The longest head of an answer, in bytes.
pub(super) const MAX_HEAD_BYTES: usize = 256 * 1024;
/// The most fields of one.
const MAX_FIELDS: usize = 100;
/// The longest chunk-size line, in bytes.
const MAX_CHUNK_LINE_BYTES: usize = 1024;
/// The most trailer bytes of a chunked body; they are dropped.
const MAX_TRAILER_BYTES: usize = 8 * 1024;

/// How a request tells its body's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyLength {
    /// There is no body.
    Nothing,
    /// `Content-Length`.
    Exact(u64),
    /// `Transfer-Encoding: chunked`.
    Unknown,
}

/// A request head as it goes on the wire; `None` for a target that is no single word, which its type rules out.
pub(super) fn request_head(head: &Head, body: BodyLength) -> Option<Vec<u8>> {
    let target = head.target.to_wire();
    if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let mut wire = Vec::with_capacity(512);
    wire.extend_from_slice(head.method.as_str().as_bytes());
    wire.push(b' ');
    wire.extend_from_slice(target.as_bytes());
    wire.extend_from_slice(b" HTTP/1.1\r\nHost: docker\r\n");
    for (name, value) in head.fields.iter() {
        write_field(&mut wire, name, value);
    }
    if let Some(upgrade) = head.upgrade {
        wire.extend_from_slice(b"Connection: Upgrade\r\nUpgrade: ");
        wire.extend_from_slice(upgrade.token().as_bytes());
        wire.extend_from_slice(b"\r\n");
    }
    match body {
        BodyLength::Nothing => {}
        BodyLength::Exact(bytes) => {
            write_field(&mut wire, &header::CONTENT_LENGTH, &HeaderValue::from(bytes));
        }
        BodyLength::Unknown => wire.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
    }
    wire.extend_from_slice(b"\r\n");
    Some(wire)
}

/// The head of an answer.
#[derive(Debug)]
pub(super) struct AnswerHead {
    pub(super) status: StatusCode,
    /// Its end-to-end fields.
    pub(super) fields: HeaderMap,
    /// What its `Upgrade` field says.
    pub(super) upgrade: Option<HeaderValue>,
    /// How the end of its body is found.
    pub(super) framing: Framing,
    /// Whether the connection may carry another request behind it.
    pub(super) keeps: bool,
}

impl AnswerHead {
    /// Takes a head from the front of `input`, once all of it is there.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn take(
        input: &mut BytesMut,
        to_head_request: bool,
    ) -> Result<Option<Self>, EngineError> {
        const MALFORMED: EngineError = EngineError::NotHttp("its head is malformed");
        let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
        let mut response = httparse::Response::new(&mut []);
        let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut response,
            input,
            &mut fields,
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
        let is_old = response.version == Some(0);
        let count = response.headers.len();
        // Where each field stands, so that its value can share the head's memory.
        let start = input.as_ptr().addr();
        let places: Vec<_> = response
            .headers
            .iter()
            .map(|field| {
                (
                    field.name.as_ptr().addr() - start,
                    field.name.len(),
                    field.value.as_ptr().addr() - start,
                    field.value.len(),
                )
            })
            .collect();
        let head = input.split_to(length).freeze();
        let mut answer = Self {
            status,
            fields: HeaderMap::with_capacity(count),
            upgrade: None,
            framing: Framing::UntilClose,
            keeps: !is_old,
        };
        let mut reading = Reading::default();
        for (name, name_bytes, value, value_bytes) in places {
            let name = head.get(name..name + name_bytes).unwrap_or_default();
            let name = HeaderName::from_bytes(name).map_err(|_| MALFORMED)?;
            let value = HeaderValue::from_maybe_shared(head.slice(value..value + value_bytes))
                .map_err(|_| MALFORMED)?;
            answer.add(name, value, &mut reading)?;
        }
        for name in reading.named {
            answer.fields.remove(name);
        }
        answer.framing = match (reading.length, reading.chunked) {
            _ if to_head_request || matches!(status.as_u16(), 100..=199 | 204 | 304) => {
                Framing::Length(0)
            }
            (Some(_), true) => {
                return Err(EngineError::NotHttp("a length beside a transfer coding"));
            }
            (Some(length), false) => Framing::Length(length),
            (None, true) => Framing::Chunked(Chunk::Size),
            (None, false) => {
                answer.keeps = false;
                Framing::UntilClose
            }
        };
        Ok(Some(answer))
    }

    fn add(
        &mut self,
        name: HeaderName,
        value: HeaderValue,
        reading: &mut Reading,
    ) -> Result<(), EngineError> {
        if name == header::CONTENT_LENGTH {
            let digits = value
                .to_str()
                .ok()
                .filter(|text| text.len() <= 19 && text.bytes().all(|byte| byte.is_ascii_digit()));
            let length = digits.and_then(|digits| digits.parse().ok());
            let length = length.ok_or(EngineError::NotHttp("its length is not a number"))?;
            if reading.length.replace(length).is_some() {
                return Err(EngineError::NotHttp("more than one length"));
            }
        } else if name == header::TRANSFER_ENCODING {
            if reading.chunked || !value.as_bytes().eq_ignore_ascii_case(b"chunked") {
                return Err(EngineError::NotHttp("a transfer coding that is not `chunked`"));
            }
            reading.chunked = true;
        } else if name == header::CONNECTION {
            let text = value.to_str().unwrap_or("close");
            for option in text.split(',').map(str::trim) {
                if option.eq_ignore_ascii_case("close") {
                    self.keeps = false;
                }
                reading.named.extend(option.parse::<HeaderName>());
            }
        } else if name == header::UPGRADE {
            self.upgrade = Some(value.clone());
        }
        if !is_hop_by_hop(&name) {
            self.fields.append(name, value);
        }
        Ok(())
    }
}

/// What the fields of a head say while they are read.
#[derive(Debug, Default)]
struct Reading {
    length: Option<u64>,
    chunked: bool,
    /// Fields that belong to the connection because its field says so.
    named: Vec<HeaderName>,
}

/// How the end of an answer's body is found, RFC 9112 section 6.3.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes are to come.
    Length(u64),
    /// The body is chunked.
    Chunked(Chunk),
    /// All that comes until the engine closes.
    UntilClose,
}

/// Where in a chunked body we are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// At the start of a size line.
    Size,
    /// So many bytes of a chunk are to come.
    Data(u64),
    /// At the line end behind a chunk.
    DataEnd,
    /// Behind the last chunk, with so many bytes of trailers read.
    Trailers(usize),
    Done,
}

impl Framing {
    /// Takes the next bytes of the body from the front of `input`; `None` when more must be read first, or when it is over.
    ///
    /// # Errors
    /// What is wrong with the framing.
    pub(super) fn next(&mut self, input: &mut BytesMut) -> Result<Option<Bytes>, &'static str> {
        let bytes = match self {
            Self::UntilClose => input.split().freeze(),
            Self::Length(left) => take(left, input),
            Self::Chunked(chunk) => {
                chunk.settle(input)?;
                let Chunk::Data(left) = chunk else { return Ok(None) };
                let bytes = take(left, input);
                if *left == 0 {
                    *chunk = Chunk::DataEnd;
                    // The end is known with the last bytes, if it is there already.
                    chunk.settle(input)?;
                }
                bytes
            }
        };
        Ok((!bytes.is_empty()).then_some(bytes))
    }

    /// Whether the whole body was taken; where the engine's close ends it, that is never known.
    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunk::Done))
    }
}

fn take(left: &mut u64, input: &mut BytesMut) -> Bytes {
    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    *left -= count as u64;
    input.split_to(count).freeze()
}

impl Chunk {
    /// Goes over framing until there is data, the end, or nothing more to read.
    fn settle(&mut self, input: &mut BytesMut) -> Result<(), &'static str> {
        const BROKEN: &str = "broken chunked framing";
        loop {
            match self {
                Self::Data(_) | Self::Done => return Ok(()),
                Self::DataEnd => match input.as_ref() {
                    [b'\r', b'\n', ..] => {
                        input.advance(2);
                        *self = Self::Size;
                    }
                    [] | [b'\r'] => return Ok(()),
                    _ => return Err(BROKEN),
                },
                Self::Size => {
                    let Some(line) = take_line(input, MAX_CHUNK_LINE_BYTES)? else { return Ok(()) };
                    let digits = line
                        .iter()
                        .position(|byte| !byte.is_ascii_hexdigit())
                        .unwrap_or(line.len());
                    let (digits, behind) = line.split_at_checked(digits).ok_or(BROKEN)?;
                    if !matches!(behind, [] | [b';' | b' ' | b'\t', ..]) {
                        return Err(BROKEN);
                    }
                    let digits = std::str::from_utf8(digits).map_err(|_| BROKEN)?;
                    let size = u64::from_str_radix(digits, 16).map_err(|_| BROKEN)?;
                    *self = if size == 0 { Self::Trailers(0) } else { Self::Data(size) };
                }
                Self::Trailers(read) => {
                    let Some(line) = take_line(input, MAX_TRAILER_BYTES)? else { return Ok(()) };
                    *read += line.len();
                    if *read > MAX_TRAILER_BYTES {
                        return Err("its trailers are too long");
                    }
                    if line.is_empty() {
                        *self = Self::Done;
                    }
                }
            }
        }
    }
}

/// A line without its end.
fn take_line(input: &mut BytesMut, most: usize) -> Result<Option<Bytes>, &'static str> {
    let end = input.iter().take(most).position(|byte| *byte == b'\n');
    let Some(end) = end else {
        return if input.len() < most {
            Ok(None)
        } else {
            Err("a line of its framing is too long")
        };
    };
    let mut line = input.split_to(end + 1).freeze();
    line.truncate(end);
    match line.split_last() {
        Some((b'\r', _)) => {
            line.truncate(end - 1);
            Ok(Some(line))
        }
        _ => Err("a line of its framing ends in a bare LF"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::request::{Method, RequestTarget};

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
        assert_eq!(old.fields.get("content-length").unwrap(), "9");
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
        assert_eq!(head.upgrade.unwrap(), "tcp");
        assert_eq!(head.fields.keys().collect::<Vec<_>>(), ["x-b"]);
        assert_eq!(head.fields.get_all("x-b").iter().count(), 2);
        assert_eq!(input, "rest");
    }

    /// What a chunked body decodes to when it comes in pieces of this size, and what is left behind it.
    fn decoded(wire: &[u8], piece: usize) -> Result<(Vec<u8>, bool, Vec<u8>), &'static str> {
        let mut framing = Framing::Chunked(Chunk::Size);
        let mut input = BytesMut::new();
        let mut body = Vec::new();
        for piece in wire.chunks(piece) {
            input.extend_from_slice(piece);
            while let Some(bytes) = framing.next(&mut input)? {
                assert!(!bytes.is_empty());
                body.extend_from_slice(&bytes);
            }
        }
        Ok((body, framing.is_done(), input.to_vec()))
    }

    #[track_caller]
    fn broken(wire: &str) {
        for piece in [1, 2, wire.len()] {
            assert!(decoded(wire.as_bytes(), piece).is_err(), "{wire:?} in pieces of {piece}");
        }
    }

    #[test]
    fn broken_chunks_are_refused_at_once() {
        for wire in [
            "x\r\n",
            "\r\n",
            "-1\r\n",
            "+1\r\n",
            "1\n",
            "1 \n",
            "1\r\naX",
            "1\r\nab\r\n",
            "10000000000000000\r\n",
            "1x\r\n",
            "0\r\nA: b\n",
        ] {
            broken(wire);
        }
        broken(&format!("1;{}", "x".repeat(MAX_CHUNK_LINE_BYTES)));
        broken(&format!("0\r\n{}", "A: b\r\n".repeat(MAX_TRAILER_BYTES)));
        broken(&format!("0\r\nA: {}", "x".repeat(MAX_TRAILER_BYTES)));
    }

    proptest! {
        #[test]
        fn chunks_come_out_as_they_went_in(
            chunks in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..40), "(;[a-z=]{0,5})?"), 0..6),
            trailers in prop::collection::vec("[a-z]{1,5}: [a-z]{0,5}", 0..3),
            behind in prop::collection::vec(any::<u8>(), 0..5),
            piece in 1_usize..50,
        ) {
            let mut wire = Vec::new();
            let mut body = Vec::new();
            for (data, extension) in &chunks {
                wire.extend_from_slice(format!("{:x}{extension}\r\n", data.len()).as_bytes());
                wire.extend_from_slice(data);
                wire.extend_from_slice(b"\r\n");
                body.extend_from_slice(data);
            }
            wire.extend_from_slice(b"0\r\n");
            for trailer in &trailers {
                wire.extend_from_slice(format!("{trailer}\r\n").as_bytes());
            }
            wire.extend_from_slice(b"\r\n");
            let whole = wire.len();
            wire.extend_from_slice(&behind);
            prop_assert_eq!(decoded(&wire, piece), Ok((body.clone(), true, behind)));
            // Whatever is missing, it is not taken for the end.
            for cut in 0..whole {
                let (part, done, _) = decoded(&wire[..cut], piece).unwrap();
                prop_assert!(!done && body.starts_with(&part), "cut at {}", cut);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = AnswerHead::take(&mut BytesMut::from(&bytes[..]), false);
            let _ = decoded(&bytes, 3);
        }
    }

    #[test]
    fn a_request_is_written_from_its_parts() {
        let mut fields = HeaderMap::new();
        fields.append("x-registry-auth", HeaderValue::from_static("e30="));
        fields.append("upgrade", HeaderValue::from_static("h2c"));
        fields.append("host", HeaderValue::from_static("evil"));
        let target = RequestTarget::parse("/v1.41/containers/a/attach?x=%0d%0aA:b").unwrap();
        let head = Head::new(Method::Post, target, &fields);
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
