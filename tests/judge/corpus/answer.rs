//! An answer of the engine that is accepted is read the same however it is cut, and as the plain reader below reads the same bytes: its
//! status, its fields, its body, and where it ends. What stands behind it is left alone.
//!
//! The first byte of the input says how long the pieces are, and in its lowest bit whether HEAD was asked; the rest is what comes.

use bytes::{Bytes, BytesMut};
use sockwarden::engine::head::AnswerHead;
use sockwarden::wire::Framing;

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    /// Those that do not say how the connection goes on.
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    /// Whether the body is over.
    whole: bool,
    /// What was not taken, of an answer that is whole.
    behind: Vec<u8>,
}

pub(crate) fn check(input: &[u8]) {
    let Some((&how, stream)) = input.split_first() else { return };
    let to_head = how % 2 == 1;
    let got = read(stream, usize::from(how) + 1, to_head);
    for piece in [1, 1 << 20] {
        let same = read(stream, piece, to_head);
        match (&got, &same) {
            (Ok(one), Ok(other)) => assert_eq!(one, other),
            (Err(()), Err(())) => {}
            _ => panic!("cut in another way it is {same:?} and not {got:?}"),
        }
    }
    let Ok(Some(answer)) = got else { return };
    assert!(answer.body.len() + answer.behind.len() <= stream.len());
    assert_eq!(Some(answer), plain(stream, to_head));
}

/// The answer at the start of a stream that comes in pieces; `None` while its head is not there.
fn read(stream: &[u8], piece: usize, to_head: bool) -> Result<Option<Answer>, ()> {
    let mut input = BytesMut::new();
    let mut head: Option<AnswerHead> = None;
    let mut body = Vec::new();
    for piece in stream.chunks(piece) {
        input.extend_from_slice(piece);
        if head.is_none() {
            head = AnswerHead::take(&mut input, to_head).map_err(drop)?;
        }
        if let Some(head) = &mut head {
            while let Some(bytes) = head.framing.next_bytes(&mut input).map_err(drop)? {
                assert!(!bytes.is_empty());
                body.extend_from_slice(&bytes);
            }
        }
    }
    Ok(head.map(|head| {
        let whole = head.framing.is_done();
        assert!(!head.keeps || head.framing != Framing::UntilClose);
        let mut fields: Vec<_> = head.fields.iter().map(field).collect();
        fields.sort_by(|(one, _), (other, _)| one.cmp(other));
        let behind = if whole { input.to_vec() } else { Vec::new() };
        Answer { status: head.status.as_u16(), fields, body, whole, behind }
    }))
}

fn field((name, value): (&str, &[u8])) -> (String, Vec<u8>) {
    (name.to_ascii_lowercase(), value.to_vec())
}

/// The same by splitting at lines; knows only what is accepted.
fn plain(stream: &[u8], to_head: bool) -> Option<Answer> {
    let mut rest = Bytes::copy_from_slice(stream);
    let mut first = take_line(&mut rest)?;
    // Empty lines in front are passed over.
    while first.is_empty() {
        first = take_line(&mut rest)?;
    }
    let status: u16 = std::str::from_utf8(first.get(9..12)?).ok()?.parse().ok()?;
    let mut fields = Vec::new();
    let (mut length, mut chunked, mut named) = (None, false, Vec::new());
    loop {
        let line = take_line(&mut rest)?;
        if line.is_empty() {
            break;
        }
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = std::str::from_utf8(&line[..colon]).ok()?.to_ascii_lowercase();
        let value = trim(&line[colon + 1..]).to_vec();
        match name.as_str() {
            "content-length" => length = std::str::from_utf8(&value).ok()?.parse::<u64>().ok(),
            "transfer-encoding" => chunked = true,
            // One that is no text names nothing, and the connection ends.
            "connection" if value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) => {
                let text = std::str::from_utf8(&value).ok()?.to_ascii_lowercase();
                named.extend(text.split(',').map(|name| name.trim().to_owned()));
            }
            _ => {}
        }
        let hop_by_hop = [
            "connection",
            "keep-alive",
            "proxy-authenticate",
            "proxy-authorization",
            "proxy-connection",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
        ];
        // These have no body, and so no length.
        let is_void = name == "content-length" && matches!(status, 100..=199 | 204);
        if !hop_by_hop.contains(&name.as_str()) && !is_void {
            fields.push((name, value));
        }
    }
    fields.retain(|(name, _)| name == "content-length" || !named.contains(name));
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    let bodiless = to_head || matches!(status, 100..=199 | 204 | 304);
    let mut body = Vec::new();
    let whole = match length {
        _ if bodiless => true,
        Some(length) => {
            let count = usize::try_from(length).unwrap_or(usize::MAX).min(rest.len());
            body = rest.split_to(count).to_vec();
            count as u64 == length
        }
        None if chunked => take_chunks(&mut rest, &mut body).is_some(),
        None => {
            body = rest.to_vec();
            false
        }
    };
    let behind = if whole { rest.to_vec() } else { Vec::new() };
    Some(Answer { status, fields, body, whole, behind })
}

/// Takes chunks as far as they go; `None` where the end is not there.
fn take_chunks(rest: &mut Bytes, body: &mut Vec<u8>) -> Option<()> {
    loop {
        let line = take_line(rest)?;
        let size = line.split(|byte| b"; \t".contains(byte)).next()?;
        let size = u64::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()?;
        if size == 0 {
            break;
        }
        let count = usize::try_from(size).unwrap_or(usize::MAX).min(rest.len());
        body.extend_from_slice(&rest.split_to(count));
        if !take_line(rest)?.is_empty() {
            return None;
        }
    }
    while !take_line(rest)?.is_empty() {}
    Some(())
}

fn take_line(rest: &mut Bytes) -> Option<Bytes> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let line = rest.split_to(end + 1);
    let line = line.slice(..end);
    Some(line.strip_suffix(b"\r").map_or_else(|| line.clone(), |line| line.to_vec().into()))
}

fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}
