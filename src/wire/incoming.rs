//! The reading side of a connection.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;

use crate::socket::Socket;

/// How much room a read gets, in bytes: at first, and at most where reads keep filling it.
const LEAST_READ_BYTES: usize = 16 * 1024;
const MOST_READ_BYTES: usize = 128 * 1024;

thread_local! {
    /// Where small reads go first, so that what waits for the next one needs no room of its own.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; LEAST_READ_BYTES].into());
}

/// A connection and what was read from it that belongs to nobody yet.
#[derive(Debug)]
pub struct Incoming {
    /// The connection.
    pub socket: Arc<Socket>,
    /// What was read.
    pub input: BytesMut,
    room: usize,
}

impl Incoming {
    /// A connection of which nothing was read.
    pub fn new(socket: Arc<Socket>) -> Self {
        Self { socket, input: BytesMut::new(), room: LEAST_READ_BYTES }
    }

    /// Waits for more and puts it behind what is there; says how much came, 0 at the end of the stream.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let read = if self.room > LEAST_READ_BYTES {
            self.socket.poll_read_more(cx, &mut self.input, self.room)
        } else {
            SCRATCH.with_borrow_mut(|scratch| {
                let read = ready!(self.socket.poll_read_into(cx, &mut &mut **scratch))?;
                self.input.extend_from_slice(scratch.get(..read).unwrap_or_default());
                Poll::Ready(Ok(read))
            })
        };
        let Poll::Ready(read) = read else {
            self.release();
            return Poll::Pending;
        };
        let read = read?;
        if read >= self.room {
            self.room = (self.room * 2).min(MOST_READ_BYTES);
        } else if read < self.room / 4 {
            self.room = (self.room / 2).max(LEAST_READ_BYTES);
        }
        Poll::Ready(Ok(read))
    }

    /// Gives back room in which nothing is: what is silent holds none.
    pub fn release(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
    }
}
