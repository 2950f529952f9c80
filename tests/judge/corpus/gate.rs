//! Whatever bytes a client sends, in whatever pieces: every message that the gate reads is the one that a strict reader of our own, below,
//! finds at that place of the stream. A message that the strict reader finds at the start and that the proxy could serve is read, or
//! refused with a reason.
//!
//! The first byte of the input says how long the pieces are; the rest is what the client sends.

use std::future::poll_fn;
use std::sync::Arc;

use sockwarden::bounds::Limits;
use sockwarden::proxy::gate::{Gate, Next};
use sockwarden::request::{Method, RequestTarget};
use sockwarden::socket::Socket;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

/// More would fill the kernel's buffers with answers that nobody reads in time.
const MOST_BYTES: usize = 64 * 1024;

/// What belongs to one connection, or is ours to say.
const OURS: [&str; 14] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
    "content-length",
    "expect",
    "http2-settings",
    "forwarded",
];

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

/// What the gate reads, and whether it gave a reason for what it did not let through.
async fn serve(stream: &[u8], piece: usize) -> (Vec<Message>, bool) {
    let (ours, mut client) = UnixStream::pair().unwrap();
    let mut gate = Gate::new(Arc::new(Socket::Unix(ours)), &Limits::default(), None);
    let reading = async move {
        let mut seen = Vec::new();
        let refused = loop {
            let head = match poll_fn(|cx| gate.poll_next(cx)).await {
                Next::Request(request) => request.head,
                Next::Refused(_) => break true,
                Next::End => break false,
            };
            let mut whole = Some(Vec::new());
            while let Some(mut body) = gate.body().filter(|_| whole.is_some()) {
                match body.next().await {
                    Some(Ok(bytes)) => whole.iter_mut().for_each(|it| it.extend_from_slice(&bytes)),
                    Some(Err(_)) => whole = None,
                    None => {}
                }
            }
            let method = head.method.to_string();
            let fields = fields(head.fields.as_bytes());
            seen.push(Message { method, target: head.target, fields, body: whole });
        };
        (seen, refused)
    };
    let sending = async {
        for piece in stream.chunks(piece) {
            // The gate may have ended the connection.
            if client.write_all(piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let _ = client.shutdown().await;
    };
    tokio::join!(reading, sending).0
}

/// The fields in what is sent on, without their order.
fn fields(mut text: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut fields = Vec::new();
    while let Some(line) = take_line(&mut text) {
        let colon = line.iter().position(|byte| *byte == b':').unwrap();
        let name = std::str::from_utf8(&line[..colon]).unwrap().to_ascii_lowercase();
        fields.push((name, trim(&line[colon + 1..]).to_vec()));
    }
    assert!(text.is_empty());
    fields.sort();
    fields
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
    let method = Method::parse(std::str::from_utf8(method).ok()?)?;
    let target = RequestTarget::parse_for(method, std::str::from_utf8(target).ok()?).ok()?;
    let method = method.to_string();
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
    let named: Vec<String> = values("connection")
        .iter()
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(|name| String::from_utf8_lossy(trim(name)).to_ascii_lowercase())
        .collect();
    if named.iter().filter(|name| !name.is_empty()).count() > 64 {
        return None;
    }
    fields.retain(|(name, _)| {
        let ours = OURS.contains(&name.as_str()) || name.starts_with("x-forwarded-");
        !ours && !named.contains(name)
    });
    fields.sort();
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
