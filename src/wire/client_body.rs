//! The body of a client's request, read as it is wanted.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};

use super::framing::Chunk;
use super::{Framing, Incoming};

/// A body on its way in. It borrows the connection, so nothing else is read from it meanwhile.
#[derive(Debug)]
pub struct ClientBody<'a> {
    incoming: &'a mut Incoming,
    framing: &'a mut Framing,
    interim: &'a Interim,
}

impl<'a> ClientBody<'a> {
    /// The body that comes next on a connection.
    pub fn new(incoming: &'a mut Incoming, framing: &'a mut Framing, interim: &'a Interim) -> Self {
        Self { incoming, framing, interim }
    }

    /// How many bytes are to come, where that is known.
    pub fn length(&self) -> Option<u64> {
        match *self.framing {
            Framing::Length(left) => Some(left),
            Framing::Chunked(_) | Framing::UntilClose => None,
        }
    }

    /// Waits for bytes and lets `take` take them, so many, from the front of what was read; nothing at the end of the body.
    ///
    /// # Errors
    /// When the connection fails or ends early, or the framing is broken.
    pub fn poll_data<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut take: impl FnMut(&mut BytesMut, usize) -> T,
    ) -> Poll<Option<io::Result<T>>> {
        loop {
            let taken = self.framing.next(&mut self.incoming.input, &mut take);
            let broken = |text| io::Error::new(io::ErrorKind::InvalidData, text);
            match taken.map_err(broken).transpose() {
                None if self.framing.is_done() => return Poll::Ready(None),
                None => {}
                some => return Poll::Ready(some),
            }
            ready!(self.interim.poll_write(cx, self.incoming))?;
            if ready!(self.incoming.poll_fill(cx))? == 0 {
                return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
            }
        }
    }

    /// Whether the body is a last chunk and nothing else, neither extensions nor trailers; takes it if it is.
    ///
    /// # Errors
    /// When the connection fails or ends before that shows.
    pub async fn is_empty(&mut self) -> io::Result<bool> {
        std::future::poll_fn(|cx| self.poll_is_empty(cx)).await
    }

    fn poll_is_empty(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        const NOTHING: &[u8] = b"0\r\n\r\n";
        if *self.framing != Framing::Chunked(Chunk::Size) {
            return Poll::Ready(Ok(self.framing.is_done()));
        }
        loop {
            let input = &mut self.incoming.input;
            if input.starts_with(NOTHING) {
                input.advance(NOTHING.len());
                *self.framing = Framing::Chunked(Chunk::Done);
                return Poll::Ready(Ok(true));
            }
            if !NOTHING.starts_with(input) {
                return Poll::Ready(Ok(false));
            }
            ready!(self.interim.poll_write(cx, self.incoming))?;
            if ready!(self.incoming.poll_fill(cx))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// The next bytes; nothing at the end of the body.
    ///
    /// # Errors
    /// As for [`ClientBody::poll_data`].
    pub async fn next(&mut self) -> Option<io::Result<BytesMut>> {
        std::future::poll_fn(|cx| self.poll_data(cx, BytesMut::split_to)).await
    }
}

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The interim answer for which some clients wait before they send a body, RFC 9110 section 10.1.1: written when the body is wanted and
/// nothing of it has come, and never behind the beginning of the final answer.
#[derive(Debug, Default)]
pub struct Interim {
    /// How much of it is to be written.
    left: AtomicUsize,
}

impl Interim {
    /// A request begins that waits for it, or does not.
    pub fn reset(&self, is_expected: bool) {
        self.left.store(if is_expected { CONTINUE.len() } else { 0 }, Ordering::Relaxed);
    }

    /// The final answer begins: gives out what has to be written in front of it, which is the rest of what was begun.
    pub fn end(&self) -> &'static [u8] {
        match self.left.swap(0, Ordering::Relaxed) {
            left if left == CONTINUE.len() => &[],
            left => CONTINUE.get(CONTINUE.len() - left..).unwrap_or_default(),
        }
    }

    fn poll_write(&self, cx: &mut Context<'_>, incoming: &Incoming) -> Poll<io::Result<()>> {
        loop {
            let left = self.left.load(Ordering::Relaxed);
            if left == 0 {
                return Poll::Ready(Ok(()));
            }
            let mut rest = CONTINUE.get(CONTINUE.len() - left..).unwrap_or_default();
            let written = ready!(incoming.socket.poll_write_buf(cx, &mut rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.left.store(left - written.min(left), Ordering::Relaxed);
        }
    }
}
