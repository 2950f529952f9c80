//! The writing side of a connection.

use std::io::{self, Write as _};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};

use crate::socket::Socket;

/// From how many bytes on data is written from where it lies; less is copied behind what goes in front of it.
const LARGE_BYTES: usize = 16 * 1024;
/// How many copied bytes are collected before they are written.
const MOST_COPIED_BYTES: usize = 16 * 1024;

/// Bytes on their way into a socket.
#[derive(Default)]
pub struct Outgoing {
    /// What goes first, and how much of it has gone.
    copied: Vec<u8>,
    gone: usize,
    /// What goes then.
    large: Bytes,
    /// What goes last.
    end: &'static [u8],
}

impl std::fmt::Debug for Outgoing {
    /// Not what is sent: credentials are in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outgoing").field("remaining", &self.remaining()).finish_non_exhaustive()
    }
}

impl From<Vec<u8>> for Outgoing {
    fn from(copied: Vec<u8>) -> Self {
        Self { copied, ..Self::default() }
    }
}

impl Outgoing {
    /// Whether all of it has gone.
    pub fn is_empty(&self) -> bool {
        !self.has_remaining()
    }

    /// Whether it should go before more is added.
    pub fn is_full(&self) -> bool {
        !self.takes_more() || self.copied.len() >= MOST_COPIED_BYTES
    }

    /// Whether what is added would stand behind what is there.
    fn takes_more(&self) -> bool {
        self.large.is_empty() && self.end.is_empty()
    }

    /// Makes room for so many bytes, because to grow little by little takes longer.
    pub fn reserve(&mut self, bytes: usize) {
        self.copied.reserve(bytes);
    }

    /// Adds text; as all that adds something, to be asked only while it is not full.
    pub fn text(&mut self, text: &[u8]) {
        debug_assert!(self.takes_more());
        self.copied.extend_from_slice(text);
    }

    /// Adds text that is put together in place.
    pub fn write(&mut self, text: std::fmt::Arguments<'_>) {
        debug_assert!(self.takes_more());
        // Memory takes what is written to it.
        let _ = self.copied.write_fmt(text);
    }

    /// Takes data from the front of `input`.
    pub fn data(&mut self, input: &mut BytesMut, count: usize) {
        debug_assert!(self.takes_more());
        if count < LARGE_BYTES {
            self.copied.extend_from_slice(input.get(..count).unwrap_or_default());
            input.advance(count);
        } else {
            self.large = input.split_to(count).freeze();
        }
    }

    /// Adds data that lies somewhere else.
    pub fn bytes(&mut self, bytes: Bytes) {
        debug_assert!(self.takes_more());
        if bytes.len() < LARGE_BYTES {
            self.copied.extend_from_slice(&bytes);
        } else {
            self.large = bytes;
        }
    }

    /// Takes data from the front of `input` as a chunk, RFC 9112 section 7.1; of no data there is no chunk.
    pub fn data_as_chunk(&mut self, input: &mut BytesMut, count: usize) {
        const LINE_END: &[u8] = b"\r\n";
        if count == 0 {
            return;
        }
        self.write(format_args!("{count:x}\r\n"));
        self.data(input, count);
        if self.large.is_empty() {
            self.text(LINE_END);
        } else {
            self.end = LINE_END;
        }
    }

    /// Adds the last chunk.
    pub fn last_chunk(&mut self) {
        self.text(b"0\r\n\r\n");
    }

    /// Writes as much as goes; says how much that was. To be asked only while something is left.
    ///
    /// # Errors
    /// When the socket fails or takes no more.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, socket: &Socket) -> Poll<io::Result<usize>> {
        match ready!(socket.poll_write_buf(cx, self))? {
            0 => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            written => Poll::Ready(Ok(written)),
        }
    }

    /// Forgets what has not gone.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Gives back its room: what is silent holds none.
    pub fn release(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }

    fn copied(&self) -> &[u8] {
        self.copied.get(self.gone..).unwrap_or_default()
    }
}

impl Buf for Outgoing {
    fn remaining(&self) -> usize {
        self.copied().len() + self.large.len() + self.end.len()
    }

    fn chunk(&self) -> &[u8] {
        [self.copied(), &self.large, self.end].into_iter().find(|it| !it.is_empty()).unwrap_or(&[])
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [io::IoSlice<'a>]) -> usize {
        let parts = [self.copied(), &self.large, self.end];
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        slices.iter_mut().zip(parts).map(|(slice, part)| *slice = io::IoSlice::new(part)).count()
    }

    fn advance(&mut self, mut count: usize) {
        let of_copied = count.min(self.copied().len());
        self.gone += of_copied;
        count -= of_copied;
        if self.gone == self.copied.len() {
            self.copied.clear();
            self.gone = 0;
        }
        let of_large = count.min(self.large.len());
        if of_large == self.large.len() {
            self.large = Bytes::new();
        } else {
            self.large.advance(of_large);
        }
        self.end = self.end.get(count - of_large..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn everything_goes_in_order(
            sizes in prop::collection::vec(prop_oneof![0_usize..40, LARGE_BYTES - 2..LARGE_BYTES + 2], 0..8),
            chunked in any::<bool>(),
            step in 1_usize..9000,
        ) {
            let (mut want, mut got) = (Vec::new(), Vec::new());
            let mut out = Outgoing::default();
            let drain = |out: &mut Outgoing, got: &mut Vec<u8>| {
                while out.has_remaining() {
                    let mut slices = [io::IoSlice::new(&[]); 4];
                    let count = out.chunks_vectored(&mut slices);
                    let seen: Vec<u8> = slices[..count].iter().flat_map(|it| it.iter().copied()).collect();
                    assert_eq!(seen.len(), out.remaining());
                    assert!(seen.starts_with(Buf::chunk(out)) && !Buf::chunk(out).is_empty());
                    let step = step.min(seen.len());
                    got.extend_from_slice(&seen[..step]);
                    out.advance(step);
                }
            };
            for (place, size) in sizes.into_iter().enumerate() {
                let data = vec![u8::try_from(place).unwrap(); size];
                let mut input = BytesMut::from(&data[..]);
                input.extend_from_slice(b"rest");
                if chunked {
                    out.data_as_chunk(&mut input, size);
                    if size > 0 {
                        want.extend(format!("{size:x}\r\n").into_bytes());
                        want.extend(data);
                        want.extend(b"\r\n");
                    }
                } else {
                    out.data(&mut input, size);
                    want.extend(data);
                }
                prop_assert_eq!(&input[..], b"rest");
                if out.is_full() {
                    drain(&mut out, &mut got);
                }
            }
            drain(&mut out, &mut got);
            prop_assert!(out.is_empty() && got == want);
        }
    }
}
