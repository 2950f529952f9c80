//! Where a body ends, RFC 9112 section 6.3.
//!
//! Pure: bytes in, values or a reason out. What the RFC leaves to interpretation is refused.

use bytes::{Buf, Bytes, BytesMut};

/// The longest chunk-size line, in bytes; extensions are dropped, so nobody needs long ones.
const MAX_CHUNK_LINE_BYTES: usize = 1024;
/// The most trailer bytes of a chunked body; they are dropped.
const MAX_TRAILER_BYTES: usize = 8 * 1024;
const BROKEN: &str = "broken chunked framing";

/// How the end of a body is found.
#[derive(Debug, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes are to come.
    Length(u64),
    /// The body is chunked.
    Chunked(Chunk),
    /// All that comes until the sender closes.
    UntilClose,
}

/// Where in a chunked body we are.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Chunk {
    /// At the start of a size line.
    #[default]
    Size,
    /// So many bytes of a chunk are to come.
    Data(u64),
    /// At the line end behind a chunk.
    DataEnd,
    /// Behind the last chunk, with so many bytes of trailers read.
    Trailers(usize),
    /// Behind everything.
    Done,
}

impl Framing {
    /// Lets `take` take the next bytes of the body, so many, from the front of `input`; `None` when more must be read first, or when it is
    /// over.
    ///
    /// # Errors
    /// What is wrong with the framing.
    pub fn next<T>(
        &mut self,
        input: &mut BytesMut,
        take: impl FnOnce(&mut BytesMut, usize) -> T,
    ) -> Result<Option<T>, &'static str> {
        if let Self::Chunked(chunk) = self {
            chunk.settle(input)?;
        }
        let here = input.len();
        let count = match self {
            Self::UntilClose => here,
            Self::Length(left) | Self::Chunked(Chunk::Data(left)) => {
                let count = usize::try_from(*left).unwrap_or(usize::MAX).min(here);
                *left -= count as u64;
                count
            }
            Self::Chunked(_) => 0,
        };
        if count == 0 {
            return Ok(None);
        }
        let taken = take(input, count);
        debug_assert_eq!(input.len() + count, here, "what was taken is gone");
        if let Self::Chunked(chunk @ Chunk::Data(0)) = self {
            *chunk = Chunk::DataEnd;
            // The end is known with the last bytes, if it is there already.
            chunk.settle(input)?;
        }
        Ok(Some(taken))
    }

    /// As [`Framing::next`], with the bytes cut off.
    ///
    /// # Errors
    /// What is wrong with the framing.
    pub fn next_bytes(&mut self, input: &mut BytesMut) -> Result<Option<Bytes>, &'static str> {
        self.next(input, |input, count| input.split_to(count).freeze())
    }

    /// Whether the whole body was taken; where the sender's close ends it, that is never known.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunk::Done))
    }
}

impl Chunk {
    /// Goes over framing until there is data, the end, or nothing more to read.
    fn settle(&mut self, input: &mut BytesMut) -> Result<(), &'static str> {
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
                    let Some((line, end)) = line(input, MAX_CHUNK_LINE_BYTES)? else {
                        let begins_well = input.first().is_none_or(u8::is_ascii_hexdigit);
                        return if begins_well { Ok(()) } else { Err(BROKEN) };
                    };
                    let size = size(line)?;
                    input.advance(end);
                    *self = if size == 0 { Self::Trailers(0) } else { Self::Data(size) };
                }
                Self::Trailers(read) => {
                    let Some((line, end)) = line(input, MAX_TRAILER_BYTES)? else { return Ok(()) };
                    *read += end;
                    if *read > MAX_TRAILER_BYTES {
                        return Err("its trailers are too long");
                    }
                    let is_last = line.is_empty();
                    input.advance(end);
                    if is_last {
                        *self = Self::Done;
                    }
                }
            }
        }
    }
}

/// A line without its end, and where the next one begins.
fn line(input: &[u8], most: usize) -> Result<Option<(&[u8], usize)>, &'static str> {
    let seen = input.get(..most).unwrap_or(input);
    let Some(end) = memchr::memchr(b'\n', seen) else {
        let is_short = input.len() < most;
        return if is_short { Ok(None) } else { Err("a line of its framing is too long") };
    };
    let line = seen.get(..end).and_then(|line| line.strip_suffix(b"\r"));
    match line.filter(|line| !line.contains(&b'\r')) {
        Some(line) => Ok(Some((line, end + 1))),
        None => Err("a line of its framing has a bare CR or LF"),
    }
}

/// The size that a line begins with.
fn size(line: &[u8]) -> Result<u64, &'static str> {
    let digits = line.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(line.len());
    let (digits, behind) = line.split_at_checked(digits).ok_or(BROKEN)?;
    if !matches!(behind, [] | [b';' | b' ' | b'\t', ..]) {
        return Err(BROKEN);
    }
    let digits = std::str::from_utf8(digits).map_err(|_| BROKEN)?;
    u64::from_str_radix(digits, 16).map_err(|_| BROKEN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a chunked body decodes to when it comes in pieces of this size, and what is left behind it.
    fn decoded(wire: &[u8], piece: usize) -> Result<(Vec<u8>, bool, Vec<u8>), &'static str> {
        let mut framing = Framing::Chunked(Chunk::Size);
        let mut input = BytesMut::new();
        let mut body = Vec::new();
        for piece in wire.chunks(piece) {
            input.extend_from_slice(piece);
            while let Some(bytes) = framing.next_bytes(&mut input)? {
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
            "0\r\nA: b\rc\r\n",
            "1;a\rb\r\n",
            "x",
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
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), piece in 1_usize..9) {
            let _ = decoded(&bytes, piece);
        }
    }
}
