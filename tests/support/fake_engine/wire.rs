//! One connection of the fake engine: strict reading, and the steps of a reply.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest, Ready};
use tokio::net::UnixStream;

use super::{Connection, Log, Request, Script, Step};

const READ_BYTES: usize = 16 * 1024;

/// One connection while it is served.
pub(super) struct Wire {
    stream: UnixStream,
    log: Arc<Log>,
    number: usize,
    unread: Vec<u8>,
}

/// Why a connection is over.
enum Over {
    /// The other side ended where it may.
    Ended,
    /// It sent what is no HTTP/1.1.
    Broken(String),
    /// The script closes it.
    Closed,
}

impl From<io::Error> for Over {
    fn from(_: io::Error) -> Self {
        Self::Ended
    }
}

impl Wire {
    /// Opens the record of a connection.
    pub(super) fn new(stream: UnixStream, log: Arc<Log>) -> Self {
        let number = log.open();
        Self { stream, log, number, unread: Vec::new() }
    }

    /// Answers until it is over.
    pub(super) async fn serve(mut self, script: Script) {
        let over = loop {
            if let Err(over) = self.one_request(&script).await {
                break over;
            }
        };
        match over {
            Over::Broken(what) => self.note(|connection| connection.broken = Some(what)),
            Over::Ended => self.gone().await,
            Over::Closed => {}
        }
        drop(self.stream);
        self.log.note(self.number, |connection| connection.closed = true);
    }

    fn note(&self, change: impl FnOnce(&mut Connection)) {
        self.log.note(self.number, change);
    }

    /// Changes the record of the request that is being received.
    fn note_request(&self, change: impl FnOnce(&mut Request)) {
        self.note(|connection| {
            if let Some(request) = connection.requests.last_mut() {
                change(request);
            }
        });
    }

    /// Reads more; an error where the other side has ended.
    async fn fill(&mut self) -> Result<(), Over> {
        let before = self.unread.len();
        self.unread.reserve(READ_BYTES);
        if self.stream.read_buf(&mut self.unread).await.unwrap_or(0) == 0 {
            self.note(|connection| connection.ended = true);
            return Err(Over::Ended);
        }
        let bytes = self.unread.get(before..).unwrap_or_default();
        self.note(|connection| connection.raw.extend_from_slice(bytes));
        Ok(())
    }

    /// Waits until the other side has closed both directions.
    async fn gone(&self) {
        while !self.stream.ready(Interest::WRITABLE).await.is_ok_and(Ready::is_write_closed) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn one_request(&mut self, script: &Script) -> Result<(), Over> {
        let head = self.head().await?;
        let request = Request { head, ..Request::default() };
        self.note(|connection| connection.requests.push(request.clone()));
        let reply = script(&request);
        if reply.reads_body {
            self.body(&request).await?;
        }
        for step in reply.steps {
            self.step(step).await?;
        }
        if !reply.reads_body {
            self.body(&request).await?;
        }
        Ok(())
    }

    async fn head(&mut self) -> Result<String, Over> {
        let end = loop {
            if let Some(at) = self.unread.windows(4).position(|it| it == b"\r\n\r\n") {
                break at + 4;
            }
            if let Err(over) = self.fill().await {
                let cut = format!("a head was cut: {:?}", String::from_utf8_lossy(&self.unread));
                return Err(if self.unread.is_empty() { over } else { Over::Broken(cut) });
            }
        };
        let bytes: Vec<u8> = self.unread.drain(..end).collect();
        let head = String::from_utf8_lossy(&bytes).into_owned();
        let fields_are_plain = head
            .lines()
            .skip(1)
            .take_while(|line| !line.is_empty())
            .all(|line| line.split_once(": ").is_some_and(|(name, _)| !name.contains(' ')));
        if !fields_are_plain || !head.lines().next().unwrap_or_default().ends_with(" HTTP/1.1") {
            return Err(Over::Broken(format!("not canonical: {head:?}")));
        }
        Ok(head)
    }

    /// Reads the body; one that ends early ends the connection, as with any server.
    async fn body(&mut self, request: &Request) -> Result<(), Over> {
        self.whole_body(request).await.map_err(|over| match over {
            Over::Ended => Over::Closed,
            over => over,
        })
    }

    async fn whole_body(&mut self, request: &Request) -> Result<(), Over> {
        match (
            request.all("Content-Length")[..].first(),
            request.all("Transfer-Encoding")[..].first(),
        ) {
            (None, None) => {}
            (Some(length), None) => {
                let length =
                    length.parse().map_err(|_| Over::Broken(format!("length {length:?}")))?;
                self.body_bytes(length).await?;
            }
            (None, Some(&"chunked")) => loop {
                let line = self.line().await?;
                let size = usize::from_str_radix(&line, 16)
                    .map_err(|_| Over::Broken(format!("chunk size {line:?}")))?;
                self.body_bytes(size).await?;
                let behind = self.line().await?;
                if !behind.is_empty() {
                    return Err(Over::Broken(format!("behind a chunk: {behind:?}")));
                }
                if size == 0 {
                    break;
                }
            },
            both => return Err(Over::Broken(format!("framing {both:?}"))),
        }
        self.note_request(|request| request.complete = true);
        Ok(())
    }

    async fn body_bytes(&mut self, mut left: usize) -> Result<(), Over> {
        while left > 0 {
            if self.unread.is_empty() {
                self.fill().await?;
            }
            let bytes: Vec<u8> = self.unread.drain(..left.min(self.unread.len())).collect();
            left -= bytes.len();
            self.note_request(|request| request.body.extend_from_slice(&bytes));
        }
        Ok(())
    }

    async fn line(&mut self) -> Result<String, Over> {
        loop {
            if let Some(at) = self.unread.windows(2).position(|it| it == b"\r\n") {
                let line: Vec<u8> = self.unread.drain(..at + 2).take(at).collect();
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            self.fill().await?;
        }
    }

    async fn step(&mut self, step: Step) -> Result<(), Over> {
        match step {
            Step::Send(bytes) => {
                self.stream.write_all(&bytes).await?;
                self.note(|connection| connection.sent += bytes.len());
            }
            Step::Wait(gate) => {
                // Nobody closes a gate for good.
                if let Ok(permit) = gate.0.acquire().await {
                    permit.forget();
                }
            }
            Step::Follow(feed) => {
                let mut pieces = feed.0.subscribe();
                let mut sent = pieces.borrow_and_update().len();
                loop {
                    tokio::select! {
                        _ = pieces.changed() => {
                            let new = pieces.borrow_and_update().get(sent..).unwrap_or_default().to_vec();
                            sent += new.len();
                            for piece in new {
                                self.stream.write_all(&super::as_chunk(&piece)).await?;
                            }
                        }
                        filled = self.fill() => filled?,
                    }
                }
            }
            Step::Silence => {
                self.read_to_end(false).await?;
                return Err(Over::Ended);
            }
            Step::Echo => self.read_to_end(true).await?,
            Step::ReadToEnd => self.read_to_end(false).await?,
            Step::EndWriting => self.stream.shutdown().await?,
            Step::Close => return Err(Over::Closed),
        }
        Ok(())
    }

    async fn read_to_end(&mut self, echo: bool) -> Result<(), Over> {
        loop {
            let bytes = std::mem::take(&mut self.unread);
            self.note(|connection| connection.tunnel.extend_from_slice(&bytes));
            if echo {
                self.stream.write_all(&bytes).await?;
            }
            if self.fill().await.is_err() {
                return Ok(());
            }
        }
    }
}
