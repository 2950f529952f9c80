//! The reading side of a connection.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;

use crate::bounds::memory::{Purse, Taken, Use};
use crate::socket::Socket;

/// How much room a read gets, in bytes: at first, where there are many connections, and at most where reads keep filling it.
const LEAST_READ_BYTES: usize = 16 * 1024;
const CROWDED_READ_BYTES: usize = 4 * 1024;
const MOST_READ_BYTES: usize = 128 * 1024;
/// What was read may wait twice: here, and on its way out.
const COPIES: usize = 2;

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
    /// Whose memory it takes.
    purse: Option<Box<Purse>>,
    /// The memory of room beyond the usual.
    memory: Option<Box<Taken>>,
}

impl Incoming {
    /// A connection of which nothing was read.
    pub fn new(socket: Arc<Socket>, purse: Option<Purse>) -> Self {
        let purse = purse.map(Box::new);
        Self { socket, input: BytesMut::new(), room: LEAST_READ_BYTES, purse, memory: None }
    }

    /// Whose memory it takes.
    pub fn purse(&self) -> Option<&Purse> {
        self.purse.as_deref()
    }

    /// Waits for more and puts it behind what is there; says how much came, 0 at the end of the stream.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let read = if self.room > LEAST_READ_BYTES {
            self.socket.poll_read_more(cx, &mut self.input, self.room)
        } else {
            let is_crowded = self.purse().is_some_and(Purse::is_crowded);
            let room = if is_crowded { CROWDED_READ_BYTES } else { LEAST_READ_BYTES };
            SCRATCH.with_borrow_mut(|scratch| {
                let scratch = scratch.get_mut(..room).unwrap_or_default();
                let read = ready!(self.socket.poll_read_into(cx, &mut &mut *scratch))?;
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
            self.change_room((self.room * 2).min(MOST_READ_BYTES));
        } else if read < self.room / 4 {
            self.change_room((self.room / 2).max(LEAST_READ_BYTES));
        }
        Poll::Ready(Ok(read))
    }

    /// Room beyond the usual is there as long as there is memory for it.
    fn change_room(&mut self, room: usize) {
        if room == self.room {
            return;
        }
        let bytes = if room > LEAST_READ_BYTES { room * COPIES } else { 0 };
        let has = match (&mut self.memory, &self.purse) {
            (Some(memory), _) if bytes > memory.bytes() => {
                memory.grow(bytes - memory.bytes()).is_ok()
            }
            (Some(memory), _) => {
                memory.shrink(bytes);
                true
            }
            (None, Some(purse)) if bytes > 0 => purse
                .try_take(Use::Room, bytes)
                .map(|taken| self.memory = Some(Box::new(taken)))
                .is_ok(),
            (None, _) => true,
        };
        if has {
            self.room = room;
        }
        if bytes == 0 {
            self.memory = None;
        }
    }

    /// The message is over: the next one begins with the usual room.
    pub fn rest(&mut self) {
        if self.room > LEAST_READ_BYTES {
            self.release();
            self.change_room(LEAST_READ_BYTES);
        }
    }

    /// Gives back room in which nothing is: what is silent holds none.
    pub fn release(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
    }
}
