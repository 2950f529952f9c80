//! A connection that has left HTTP: bytes both ways, each direction ended on its own, until both are over or one side is gone.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::engine::EngineEnd;
use crate::socket::Socket;

/// How often it is looked whether a client still sends once the engine has ended its own direction.
const LOOK: Duration = Duration::from_secs(2);
/// How long a client may be silent then: the Docker daemon leaves its own connection half-closed behind every attach and exec.
const SILENCE: Duration = Duration::from_mins(1);
const BUFFER_BYTES: usize = 16 * 1024;

/// Writes the head of the engine's answer, then carries bytes until both directions have ended, one side fails, or `stopped` is done.
/// Says how many bytes the engine sent.
pub async fn run(
    client: Arc<Socket>,
    early: Bytes,
    answer_head: Bytes,
    mut engine: EngineEnd,
    stopped: impl Future<Output = ()>,
) -> u64 {
    let (bytes_in, bytes_out) = (AtomicU64::new(0), AtomicU64::new(0));
    let upstream = engine.socket();
    let up = async {
        let result = carry_up(&client, early, &upstream, &bytes_in).await;
        // The daemon takes this for the end of stdin; it goes on sending until it has nothing left.
        upstream.end_writing();
        result
    };
    let down = async {
        let result = carry_down(&mut engine, answer_head, &client, &bytes_out).await;
        client.end_writing();
        result
    };
    tokio::pin!(up, down, stopped);
    let mut up_ended = false;
    let engine_ended = loop {
        tokio::select! {
            result = &mut down => break result.is_ok(),
            // Where it failed at the engine, which takes no more, the engine may have more to say all the same.
            _ = &mut up, if !up_ended => {
                up_ended = true;
                if client.is_gone().await {
                    break false;
                }
            }
            () = client.failed(), if up_ended => break false,
            () = &mut stopped => break false,
        }
    };
    if engine_ended && !up_ended {
        // What the client still sends is carried; it gets a moment to end its direction, and more where the engine may be listening.
        let let_go = async {
            let mut silence = Duration::ZERO;
            loop {
                let before = bytes_in.load(Ordering::Relaxed);
                tokio::time::sleep(LOOK).await;
                let is_silent = bytes_in.load(Ordering::Relaxed) == before;
                silence = if is_silent { silence + LOOK } else { Duration::ZERO };
                if silence >= SILENCE || (is_silent && upstream.is_gone().await) {
                    return;
                }
            }
        };
        tokio::select! {
            _ = &mut up => {}
            () = &mut stopped => {}
            () = let_go => {}
        }
    }
    bytes_out.load(Ordering::Relaxed)
}

async fn carry_up(
    client: &Socket,
    early: Bytes,
    engine: &Socket,
    bytes_in: &AtomicU64,
) -> io::Result<()> {
    engine.write_all(&early).await?;
    drop(early);
    loop {
        // A silent stream holds no buffer.
        client.readable().await?;
        let mut buffer = BytesMut::with_capacity(BUFFER_BYTES);
        if client.read_into(&mut buffer).await? == 0 {
            return Ok(());
        }
        engine.write_all(&buffer).await?;
        bytes_in.fetch_add(buffer.len() as u64, Ordering::Relaxed);
    }
}

async fn carry_down(
    engine: &mut EngineEnd,
    answer_head: Bytes,
    client: &Socket,
    bytes_out: &AtomicU64,
) -> io::Result<()> {
    client.write_all(&answer_head).await?;
    drop(answer_head);
    let mut buffer = BytesMut::new();
    while let Some(bytes) = engine.read(&mut buffer).await? {
        client.write_all(&bytes).await?;
        bytes_out.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }
    Ok(())
}
