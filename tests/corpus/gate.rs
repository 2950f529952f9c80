//! Whatever bytes a client sends, in whatever pieces: every message that the HTTP library reads through the gate is the one that a strict
//! reader of our own, below, finds at that place of the stream, and its target is the one that travels beside it. A message that the
//! strict reader finds at the start and that the proxy could serve is read, or refused with a reason.
//!
//! The first byte of the input says how long the pieces are; the rest is what the client sends.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use sockwarden::config::Limits;
use sockwarden::proxy::gate::Gate;
use sockwarden::request::{Method, RequestTarget};
use sockwarden::socket::Socket;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// More would fill the kernel's buffers with answers that nobody reads in time.
const MOST_BYTES: usize = 64 * 1024;

#[derive(Debug, PartialEq, Eq)]
struct Message {
    method: String,
    target: RequestTarget,
    fields: Vec<(String, Vec<u8>)>,
    /// `None` where it does not end well.
    body: Option<Vec<u8>>,
}

pub(crate) fn check(input: &[u8]) {
    let Some((&length, stream)) = input.split_first() else { return };
    if stream.len() > MOST_BYTES {
        return;
    }
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    }
    let (seen, refused) = RUNTIME.with(|runtime| {
        runtime.block_on(serve(stream, (usize::from(length) + 1) * (usize::from(length) + 1)))
    });
    let mut rest = stream;
    for (place, message) in seen.iter().enumerate() {
        let strict = strict_message(&mut rest);
        let mut strict = strict.unwrap_or_else(|| panic!("message {place} is none: {message:?}"));
        if message.body.is_none() {
            // A body that was refused on the way is nobody's request, and nothing may come behind it.
            strict.body = None;
            assert_eq!(place + 1, seen.len(), "message {place} ended badly: {message:?}");
        }
        assert_eq!(*message, strict, "message {place}");
    }
    let mut rest = stream;
    if seen.is_empty()
        && let Some(first) = strict_message(&mut rest)
    {
        assert!(refused, "neither read nor refused: {first:?}");
    }
}

/// What the library reads, and whether the gate gave a reason for what it did not let through.
async fn serve(stream: &[u8], piece: usize) -> (Vec<Message>, bool) {
    let (ours, mut client) = UnixStream::pair().unwrap();
    let limits = Limits::default();
    let (gate, shared) = Gate::new(Arc::new(Socket::Unix(ours)), &limits);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let service = service_fn(|request: Request<Incoming>| {
        let target = shared.take_target();
        let seen = Rc::clone(&seen);
        async move {
            let (parts, body) = request.into_parts();
            let mut fields: Vec<_> = parts.headers.iter().map(field).collect();
            fields.sort_by(|(one, _), (other, _)| one.cmp(other));
            let body = body.collect().await.ok().map(|body| body.to_bytes().to_vec());
            let target = target.expect("a head came without its target");
            let method = parts.method.to_string();
            seen.borrow_mut().push(Message { method, target, fields, body });
            let mut answer = Response::new(Empty::<Bytes>::new());
            *answer.status_mut() = StatusCode::FORBIDDEN;
            Ok::<_, Infallible>(answer)
        }
    });
    let serving = async {
        // As the proxy does it.
        let connection = http1::Builder::new()
            .half_close(true)
            .max_buf_size(2 * limits.head_bytes)
            .serve_connection(TokioIo::new(gate), service);
        let _ = connection.await;
    };
    let sending = async {
        let (mut reader, mut writer) = client.split();
        let sending = async {
            for piece in stream.chunks(piece) {
                // The gate may have ended the connection.
                if writer.write_all(piece).await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            let _ = writer.shutdown().await;
        };
        let mut answers = Vec::new();
        let _ = tokio::join!(sending, reader.read_to_end(&mut answers));
    };
    tokio::join!(serving, sending);
    (seen.take(), shared.take_refusal().is_some())
}

fn field((name, value): (&http::HeaderName, &http::HeaderValue)) -> (String, Vec<u8>) {
    (name.as_str().to_owned(), value.as_bytes().to_vec())
}

/// The message at the start of the stream, which then begins behind it; `None` where there is none that has one reading only.
fn strict_message(stream: &mut &[u8]) -> Option<Message> {
    while let Some(rest) = stream.strip_prefix(b"\r\n") {
        *stream = rest;
    }
    let mut lines = Vec::new();
    loop {
        let line = take_line(stream)?;
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let (first, others) = lines.split_first()?;
    let mut words = first.split(|byte| *byte == b' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || !matches!(version, b"HTTP/1.1" | b"HTTP/1.0") {
        return None;
    }
    let method = Method::parse(std::str::from_utf8(method).ok()?)?.to_string();
    let target = RequestTarget::parse(std::str::from_utf8(target).ok()?).ok()?;
    let mut fields = Vec::new();
    for line in others {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        let is_token =
            |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        let is_text = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
        if name.is_empty() || !name.iter().all(is_token) || !value.iter().all(is_text) {
            return None;
        }
        let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
        fields.push((name, trim(value).to_vec()));
    }
    let values = |wanted: &str| -> Vec<&[u8]> {
        fields.iter().filter(|(name, _)| name == wanted).map(|(_, it)| it.as_slice()).collect()
    };
    let hosts = values("host").len();
    if hosts > 1 || (hosts == 0 && version == b"HTTP/1.1") {
        return None;
    }
    let body = match (values("content-length").as_slice(), values("transfer-encoding").as_slice()) {
        ([], []) => Some(Vec::new()),
        ([length], []) => {
            let plain = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
            let length: u64 = std::str::from_utf8(length).ok().filter(|_| plain)?.parse().ok()?;
            take_bytes(stream, length)
        }
        ([], [coding]) if coding.eq_ignore_ascii_case(b"chunked") && version == b"HTTP/1.1" => {
            take_chunks(stream)
        }
        _ => return None,
    };
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    Some(Message { method, target, fields, body })
}

/// A line that ends in CR LF and holds neither.
fn take_line<'a>(stream: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = stream.iter().position(|byte| matches!(byte, b'\r' | b'\n'))?;
    let (line, rest) = stream.split_at(end);
    *stream = rest.strip_prefix(b"\r\n")?;
    Some(line)
}

fn take_bytes(stream: &mut &[u8], length: u64) -> Option<Vec<u8>> {
    let (bytes, rest) = stream.split_at_checked(usize::try_from(length).ok()?)?;
    *stream = rest;
    Some(bytes.to_vec())
}

fn take_chunks(stream: &mut &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = take_line(stream)?;
        let size = line.split(|byte| b"; \t".contains(byte)).next()?;
        if size.is_empty() || !size.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let size = u64::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()?;
        if size == 0 {
            break;
        }
        body.extend(take_bytes(stream, size)?);
        *stream = stream.strip_prefix(b"\r\n")?;
    }
    while !take_line(stream)?.is_empty() {}
    Some(body)
}

fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}
