//! A relay between the proxy and an engine that does to the bytes what networks, disks and bugs do: it delays, cuts, truncates, reorders
//! and garbles them, at an exact place and in one direction.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest, Ready};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

const READ_BYTES: usize = 16 * 1024;

/// What is done to one direction of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Harm {
    /// Nothing.
    #[default]
    None,
    /// Every piece waits so long before it goes on.
    Delay(Duration),
    /// After so many bytes the connection is closed both ways.
    Cut(usize),
    /// After so many bytes this direction ends; the other goes on.
    Truncate(usize),
    /// From here on, two blocks of this length change places.
    Swap(usize, usize),
    /// The bits of the mask are flipped in the byte at this place.
    Garble(usize, u8),
}

/// What is done to connections that are accepted from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Harms {
    /// On the way to the engine.
    pub(crate) up: Harm,
    /// On the way back.
    pub(crate) down: Harm,
}

/// A relay: stopped when dropped.
pub(crate) struct Relay {
    path: PathBuf,
    harms: Arc<Mutex<Harms>>,
    _accepting: JoinSet<()>,
}

impl Relay {
    /// Listens on `path` and passes on to the engine on the other one.
    pub(crate) fn start(path: &Path, engine: &Path) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        let harms = Arc::<Mutex<Harms>>::default();
        let (engine, current) = (engine.to_path_buf(), Arc::clone(&harms));
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((proxy, _)) = listener.accept().await {
                let harms = *current.lock().unwrap_or_else(PoisonError::into_inner);
                let engine = engine.clone();
                connections.spawn(async move {
                    if let Ok(engine) = UnixStream::connect(engine).await {
                        carry(proxy, engine, harms).await;
                    }
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { path: path.to_path_buf(), harms, _accepting: accepting })
    }

    /// From now on, new connections are harmed like this.
    pub(crate) fn harm(&self, harms: Harms) {
        *self.harms.lock().unwrap_or_else(PoisonError::into_inner) = harms;
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn carry(proxy: UnixStream, engine: UnixStream, harms: Harms) {
    let (mut from_proxy, to_proxy) = proxy.into_split();
    let (mut from_engine, to_engine) = engine.into_split();
    let (cut, is_cut) = watch::channel(false);
    let is_cut_too = is_cut.clone();
    let up = async {
        let _ = one_way(&mut from_proxy, to_engine, Bender::new(harms.up), &cut, is_cut).await;
        // An end may be that of one direction, or of both.
        while !*cut.borrow()
            && !from_proxy.ready(Interest::WRITABLE).await.is_ok_and(Ready::is_write_closed)
        {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        cut.send_replace(true);
    };
    let down = one_way(&mut from_engine, to_proxy, Bender::new(harms.down), &cut, is_cut_too);
    let _ = tokio::join!(up, down);
}

/// Carries one direction until it ends, fails, or the connection is cut.
async fn one_way(
    from: &mut (impl AsyncRead + Unpin),
    mut to: impl AsyncWrite + Unpin,
    mut bender: Bender,
    cut: &watch::Sender<bool>,
    mut is_cut: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(READ_BYTES);
    loop {
        buffer.clear();
        let read = tokio::select! {
            read = from.read_buf(&mut buffer) => read.unwrap_or(0),
            _ = is_cut.wait_for(|cut| *cut) => return Ok(()),
        };
        let bent = if read == 0 { bender.rest() } else { bender.bend(&buffer) };
        if let Harm::Delay(pause) = bender.harm {
            tokio::time::sleep(pause).await;
        }
        let written = to.write_all(&bent.bytes).await;
        match bent.then {
            Then::GoOn if read > 0 && written.is_ok() => {}
            Then::Cut => {
                cut.send_replace(true);
                return Ok(());
            }
            Then::End if read > 0 => {
                // What still comes is lost; when its sender is gone, so is the connection.
                let ended = to.shutdown().await;
                let mut nowhere = tokio::io::sink();
                tokio::select! {
                    _ = tokio::io::copy(from, &mut nowhere) => {}
                    _ = is_cut.wait_for(|cut| *cut) => {}
                }
                cut.send_replace(true);
                return ended;
            }
            Then::GoOn | Then::End => return to.shutdown().await,
        }
    }
}

/// Does one harm to a stream of bytes.
struct Bender {
    harm: Harm,
    /// How many bytes came.
    seen: usize,
    held: Vec<u8>,
}

struct Bent {
    bytes: Vec<u8>,
    then: Then,
}

enum Then {
    GoOn,
    End,
    Cut,
}

impl Bender {
    fn new(harm: Harm) -> Self {
        Self { harm, seen: 0, held: Vec::new() }
    }

    fn bend(&mut self, bytes: &[u8]) -> Bent {
        let start = self.seen;
        self.seen += bytes.len();
        let mut bytes = bytes.to_vec();
        let then = match self.harm {
            Harm::None | Harm::Delay(_) => Then::GoOn,
            Harm::Cut(at) | Harm::Truncate(at) if self.seen < at => Then::GoOn,
            Harm::Cut(at) => {
                bytes.truncate(at - start);
                Then::Cut
            }
            Harm::Truncate(at) => {
                bytes.truncate(at - start);
                Then::End
            }
            Harm::Garble(at, mask) => {
                if let Some(byte) = at.checked_sub(start).and_then(|at| bytes.get_mut(at)) {
                    *byte ^= mask;
                }
                Then::GoOn
            }
            Harm::Swap(at, length) => {
                self.held.extend_from_slice(&bytes);
                bytes.clear();
                if self.seen >= at + 2 * length {
                    let held = std::mem::take(&mut self.held);
                    bytes.extend_from_slice(&held[..at]);
                    bytes.extend_from_slice(&held[at + length..at + 2 * length]);
                    bytes.extend_from_slice(&held[at..at + length]);
                    bytes.extend_from_slice(&held[at + 2 * length..]);
                    self.harm = Harm::None;
                }
                Then::GoOn
            }
        };
        Bent { bytes, then }
    }

    /// What is still held at the end of the stream.
    fn rest(&mut self) -> Bent {
        Bent { bytes: std::mem::take(&mut self.held), then: Then::End }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(harm: Harm, want: &str) {
        for piece in [1, 2, 3, 10] {
            let mut bender = Bender::new(harm);
            let mut got = Vec::new();
            for bytes in b"0123456789".chunks(piece) {
                let bent = bender.bend(bytes);
                got.extend(bent.bytes);
                if !matches!(bent.then, Then::GoOn) {
                    break;
                }
            }
            got.extend(bender.rest().bytes);
            assert_eq!(String::from_utf8(got).unwrap(), want, "{harm:?} in pieces of {piece}");
        }
    }

    #[test]
    fn bytes_are_harmed_where_they_should_be() {
        check(Harm::None, "0123456789");
        check(Harm::Cut(0), "");
        check(Harm::Cut(4), "0123");
        check(Harm::Truncate(9), "012345678");
        check(Harm::Truncate(11), "0123456789");
        check(Harm::Swap(1, 3), "0456123789");
        check(Harm::Swap(6, 3), "0123456789");
        check(Harm::Garble(3, 0x10), "012#456789");
    }
}
