//! A connected stream socket that two parties hold: one reads and writes messages, and one watches it, shuts it down, or takes it over once
//! it has left HTTP.

use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// How much the kernel keeps for a connection where there are many, in bytes; it takes twice that.
const SMALL_BUFFER_BYTES: usize = 8 * 1024;

/// A connected TCP or Unix socket.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Tcp(TcpStream),
    /// Unix, `SOCK_STREAM`.
    Unix(UnixStream),
}

/// Runs the same expression on whichever socket it is.
macro_rules! on {
    ($socket:expr, $stream:ident => $body:expr) => {
        match $socket {
            Socket::Tcp($stream) => $body,
            Socket::Unix($stream) => $body,
        }
    };
}

impl Socket {
    /// Has it watched by the runtime that this is called in, and by no other.
    ///
    /// # Errors
    /// When the kernel does not let it go, or has no room to watch it.
    pub fn move_here(self) -> io::Result<Self> {
        match self {
            Self::Tcp(stream) => TcpStream::from_std(stream.into_std()?).map(Self::Tcp),
            Self::Unix(stream) => UnixStream::from_std(stream.into_std()?).map(Self::Unix),
        }
    }

    /// Waits for data, then appends it to `buffer`; 0 is the end of the stream.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn poll_read_into(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut impl BufMut,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(on!(self, stream => stream.poll_read_ready(cx)))?;
            match self.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    /// Waits for data, then makes `room` for it in `buffer` and appends it, so that waiting needs no room.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn poll_read_more(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
        room: usize,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(on!(self, stream => stream.poll_read_ready(cx)))?;
            buffer.reserve(room);
            match self.try_read(&mut buffer.limit(room)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    /// Appends what is there to `buffer`.
    ///
    /// # Errors
    /// When the socket fails, or nothing is there.
    pub fn try_read(&self, buffer: &mut impl BufMut) -> io::Result<usize> {
        let room = buffer.chunk_mut().len();
        let mut drained = None;
        let result = on!(self, stream => stream.try_io(Interest::READABLE, || {
            match stream.try_read_buf(buffer) {
                // A read that did not fill the room has emptied the socket (epoll(7), question 9), so the next one waits for news instead
                // of asking the kernel in vain. tokio's own reading does the same, where only one party holds the socket.
                Ok(read) if (1..room).contains(&read) => {
                    drained = Some(read);
                    Err(io::ErrorKind::WouldBlock.into())
                }
                result => result,
            }
        }));
        drained.map_or(result, Ok)
    }

    /// Writes as much of `bytes` as goes, and takes it off their front.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn poll_write_buf(
        &self,
        cx: &mut Context<'_>,
        bytes: &mut impl Buf,
    ) -> Poll<io::Result<usize>> {
        let written = ready!(self.poll_write_from(cx, |socket| {
            let mut slices = [io::IoSlice::new(&[]); 4];
            match bytes.chunks_vectored(&mut slices) {
                1 => on!(socket, stream => stream.try_write(bytes.chunk())),
                count => {
                    let slices = slices.get(..count).unwrap_or_default();
                    on!(socket, stream => stream.try_write_vectored(slices))
                }
            }
        }))?;
        bytes.advance(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_from(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&Self) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(on!(self, stream => stream.poll_write_ready(cx)))?;
            match write(self) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    /// Waits for data, then appends it to `buffer`; 0 is the end of the stream. Cancel-safe.
    ///
    /// # Errors
    /// When the socket fails.
    pub async fn read_into(&self, buffer: &mut impl BufMut) -> io::Result<usize> {
        std::future::poll_fn(|cx| self.poll_read_into(cx, buffer)).await
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// When the socket fails or takes no more.
    pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let write = |socket: &Self| on!(socket, stream => stream.try_write(bytes));
            let written = std::future::poll_fn(|cx| self.poll_write_from(cx, write)).await?;
            bytes = bytes.get(written..).filter(|_| written > 0).ok_or(io::ErrorKind::WriteZero)?;
        }
        Ok(())
    }

    /// Does with less of the kernel's memory, which counts as ours where we run in a container.
    pub fn shrink_buffers(&self) {
        // One that keeps what it has carries bytes all the same.
        let _ = on!(self, stream => {
            let socket = socket2::SockRef::from(stream);
            socket.set_send_buffer_size(SMALL_BUFFER_BYTES).and_then(|()| socket.set_recv_buffer_size(SMALL_BUFFER_BYTES))
        });
    }

    /// Ends our direction (`shutdown(2)` with `SHUT_WR`): the peer reads the end of the stream, and may go on sending.
    pub fn end_writing(&self) {
        // A socket whose peer is gone is as ended as it gets.
        let _ = on!(self, stream => socket2::SockRef::from(stream).shutdown(Shutdown::Write));
    }

    /// Waits until the peer has ended its direction or is gone altogether; data that is waiting unread does not hide it (`EPOLLRDHUP`).
    pub async fn peer_ended(&self) {
        // tokio counts "read side closed" among what PRIORITY waits for, so this neither returns for plain data nor takes the waker of the
        // party that reads. Only urgent data sets PRIORITY too; no HTTP client sends any, and who does hurts itself.
        let _ = on!(self, stream => stream.ready(Interest::PRIORITY).await);
    }

    /// Waits until the connection has failed, for example because the peer answered a keep-alive probe with a reset.
    pub async fn failed(&self) {
        let _ = on!(self, stream => stream.ready(Interest::ERROR).await);
    }

    /// Waits until there is something to read, the end of the stream included.
    ///
    /// # Errors
    /// When the socket fails.
    pub async fn readable(&self) -> io::Result<()> {
        on!(self, stream => stream.readable().await)
    }

    /// Whether the peer has closed both directions, as far as the kernel knows (`EPOLLHUP`).
    pub async fn is_gone(&self) -> bool {
        let ready = async { on!(self, stream => stream.ready(Interest::WRITABLE).await) };
        tokio::select! {
            biased;
            ready = ready => ready.map_or(true, tokio::io::Ready::is_write_closed),
            () = std::future::ready(()) => false,
        }
    }
}

/// What an HTTP library gets to read and write, for our own questions.
#[derive(Debug, Clone)]
pub struct SharedSocket(pub Arc<Socket>);

impl AsyncRead for SharedSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_read_into(cx, buf).map_ok(|_| ())
    }
}

impl AsyncWrite for SharedSocket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write_from(cx, |socket| on!(socket, stream => stream.try_write(buf)))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write_from(cx, |socket| on!(socket, stream => stream.try_write_vectored(bufs)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.end_writing();
        Poll::Ready(Ok(()))
    }
}
